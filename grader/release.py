"""From what authors write to what students get: py:percent → notebook → nbgrader's student edition."""

import filecmp
import logging
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from grader.alone import course_version
from grader.course import CourseError, grade_id, source_path, unit_names
from grader.gradebook import nbgrader_api

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+")


class SelectLanguage(NbGraderPreprocessor):
    """Keeps the text cells of one edition; cells without a language belong to every edition."""

    language = Unicode("en", help="The edition's language, as in a cell's lang.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Drop the cells that are written in another language."""
        nb.cells = [cell for cell in nb.cells if cell.metadata.pop("lang", self.language) == self.language]
        return nb, resources


class Stamp(NbGraderPreprocessor):
    """Writes the repository's address into the badge and the set-up cell, and drops what only authors need."""

    repository = Unicode("", help="owner/name; by default the address in [project.urls] of pyproject.toml.").tag(
        config=True
    )
    branch = Unicode("main", help="The branch or tag that the notebooks fetch.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Replace `{{repository}}`, `{{branch}}`, `{{version}}` and `{{colab}}` wherever they stand."""
        unit = resources["nbgrader"]["assignment"]
        address = repository_address(self.repository)
        colab = address.replace("https://github.com/", "https://colab.research.google.com/github/")
        values = {
            "{{repository}}": address,
            "{{branch}}": self.branch,
            "{{version}}": course_version(),
            "{{colab}}": f"{colab}/blob/{self.branch}/course/{unit}/{unit}.ipynb",
        }
        for cell in nb.cells:
            for token, value in values.items():
                cell.source = cell.source.replace(token, value)
            cell.metadata.pop("lines_to_next_cell", None)
        nb.metadata.pop("jupytext", None)
        return nb, resources


def repository_address(name: str = "") -> str:
    """The course's GitHub address: of `owner/name` if given, else from `[project.urls]` of pyproject.toml."""
    if name:
        if not _REPOSITORY.fullmatch(name):
            raise CourseError(f"A repository is given as owner/name, not {name!r}.")
        return f"https://github.com/{name}"
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    return project["project"]["urls"]["Repository"]


def release(root: Path, repository: str = "", tag: str = "") -> list[str]:
    """Make every generated notebook under `root` anew; the names of the units released.

    `repository`, as owner/name, and `tag` are what the notebooks fetch the course from when they are alone.

    Writes `solutions/*/*.ipynb` and `course/`, and stores the source cells in the gradebook. Raises `CourseError`
    where nbgrader refuses a unit.
    """
    names = unit_names(root)
    for name in names:
        write_author_notebook(source_path(root, name))
    for path in (root / "course").glob("*"):
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path)
    if tag and not _TAG.fullmatch(tag):
        raise CourseError(f"A tag or branch is letters, digits and . _ / - only, not {tag!r}.")
    chosen = {"repository": repository, "branch": tag}
    api = nbgrader_api(root, Stamp={name: value for name, value in chosen.items() if value})
    for name in names:
        result = api.generate_assignment(name)
        if not result["success"]:
            raise CourseError(f"nbgrader could not release {name}:\n{result['log']}{result.get('error', '')}")
    return names


def stale_files(root: Path) -> list[str]:
    """The generated files that are not what their sources make, relative to `root`; empty when all is fresh."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        for name in unit_names(root):
            target = fresh / "solutions" / name / f"{name}.py"
            target.parent.mkdir(parents=True)
            shutil.copy(source_path(root, name), target)
        shutil.copy(root / "nbgrader_config.py", fresh)
        release(fresh)
        made = _files(fresh)
        there = _files(root)
        return sorted(
            str(path)
            for path in made | there
            if not (fresh / path).is_file()
            or not (root / path).is_file()
            or not filecmp.cmp(fresh / path, root / path, shallow=False)
        )


def write_author_notebook(source: Path) -> None:
    """Make the notebook beside a py:percent file, and bring that file into jupytext's canonical form.

    Cell ids come from the grade_id or the position, so that the same source always gives the same bytes.
    """
    # Through nbformat, which sorts metadata, so that the round trip from the stored notebook is exact.
    notebook = nbformat.reads(nbformat.writes(jupytext.read(source)), as_version=4)
    notebook.metadata.jupytext["notebook_metadata_filter"] = "-jupytext.text_representation.jupytext_version"
    text = jupytext.writes(notebook, "py:percent")
    if text != source.read_text(encoding="utf-8"):
        source.write_text(text, encoding="utf-8")
    notebook = jupytext.reads(text, "py:percent")
    for position, cell in enumerate(notebook.cells):
        cell["id"] = grade_id(cell) or f"cell-{position:03}"
    nbformat.validate(notebook)
    target = source.with_suffix(".ipynb")
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def _files(root: Path) -> set[Path]:
    """What `release` writes: the authors' files and the course."""
    found = [
        *(root / "solutions").glob("*/*.py"),
        *(root / "solutions").glob("*/*.ipynb"),
        *(root / "course").rglob("*"),
    ]
    return {
        path.relative_to(root)
        for path in found
        if path.is_file() and not {".ipynb_checkpoints", ".sori"} & set(path.parts)
    }


logging.getLogger("traitlets").setLevel(logging.ERROR)
