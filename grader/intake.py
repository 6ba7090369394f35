"""From what was handed in to a notebook that can be graded: reads anything, mends what a student may break.

Points, marks and check cells come from the unit, never from the submission; the student's own are their answers.
"""

import os
import shutil
import stat
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from grader.course import CHECK, CourseError, Unit, course_root, grade_id, load_unit, read_notebook
from grader.files import copy_plain_files

#: The largest file that is read, and the most cells that are run.
MAX_BYTES, MAX_CELLS = 64 * 2**20, 2000
_KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}


def read_submission(path: Path, unit: Unit) -> NotebookNode:
    """The notebook handed in at `path`, mended. `CourseError` says why where there is nothing to grade."""
    folder = path.parent
    try:
        found = path.lstat()
    except FileNotFoundError:
        there = sorted(one.name for one in folder.iterdir())[:5] if folder.is_dir() else []
        what = f"it holds {', '.join(there)}" if there else "it holds nothing"
        raise CourseError(f"There is no {path.name} in the folder handed in: {what}.") from None
    if not stat.S_ISREG(found.st_mode):
        raise CourseError(f"{path.name} is a link or no file at all. Hand in the notebook itself.")
    if found.st_size > MAX_BYTES:
        raise CourseError(
            f"{path.name} has {found.st_size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} are read. "
            "Clear its outputs and hand it in again."
        )
    notebook = read_notebook(path)
    if len(notebook.cells) > MAX_CELLS:
        raise CourseError(f"{path.name} has {len(notebook.cells)} cells; at most {MAX_CELLS} are run.")
    if not any(grade_id(cell) in unit.marks for cell in notebook.cells):
        raise CourseError(f"{path.name} holds no exercise of {unit.name}. Is it another unit's?")
    return mend(notebook, unit)


def mend(notebook: NotebookNode, unit: Unit) -> NotebookNode:
    """The same cells with the unit's own marks and checks: nothing doubled, nothing missing, nothing forged.

    Of cells that bear one name the last counts. A check cell that is gone comes back after its exercise.
    """
    mended = new_notebook(metadata=_KERNEL)
    last = {grade_id(cell): index for index, cell in enumerate(notebook.cells)}
    for index, cell in enumerate(notebook.cells):
        name = grade_id(cell)
        if name in unit.marks and last[name] == index:
            mended.cells.append(_marked(unit, name, cell.source))
        elif cell.cell_type == "code":
            mended.cells.append(new_code_cell(cell.source))
        else:
            mended.cells.append(new_markdown_cell(cell.source))
        exercise = name if name in unit.points and last[name] == index else ""
        if exercise and CHECK + exercise not in last:
            mended.cells.append(_marked(unit, CHECK + exercise, ""))
    mended.cells += [_marked(unit, CHECK + name, "") for name in unit.points if not {name, CHECK + name} & last.keys()]
    for index, cell in enumerate(mended.cells):
        cell.id = f"cell-{index}"
    return mended


def _marked(unit: Unit, name: str, source: str) -> NotebookNode:
    exercise = name.removeprefix(CHECK)
    if name.startswith(CHECK):
        source = unit.checks[exercise]
    return new_code_cell(source, metadata={"nbgrader": dict(unit.marks[name])})


def blank(unit: Unit, why: str) -> NotebookNode:
    """What is graded in place of a file that holds nothing to grade: no answers, and a first cell that says why."""
    notebook = mend(new_notebook(), unit)
    notebook.cells.insert(0, new_markdown_cell(f"**This could not be graded.** {why}"))
    return notebook


def take_in(handed_in: Path, unit: Unit, place: Path) -> str:
    """Put what was handed in, mended, into `place`; `handed_in` stays as it is. Returns why it needs a human, or "".

    Other plain files come along, so that Formgrader shows them; links do not.
    """
    trouble = ""
    try:
        notebook = read_submission(handed_in / f"{unit.name}.ipynb", unit)
    except CourseError as error:
        trouble = str(error).replace(f"{handed_in}{os.sep}", "")
        notebook = blank(unit, trouble)
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    if handed_in.is_dir() and not handed_in.is_symlink():
        copy_plain_files(handed_in, place)
    (place / f"{unit.name}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    return trouble


class Mend(NbGraderPreprocessor):
    """The first of nbgrader's sanitising preprocessors: what `grader grade` does to a file before nbgrader sees it."""

    root = Unicode("", help="The course's folder; by default the one around the submission.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Mend the notebook."""
        root = course_root(Path(self.root) if self.root else Path(resources["metadata"]["path"]))
        unit = load_unit(root, resources["nbgrader"]["assignment"])
        return mend(nb, unit), resources
