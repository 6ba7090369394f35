"""The solved notebooks with their outputs: run once, then kept until something that a run depends on changes."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
from filelock import FileLock
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from grader.course import CourseError, read_notebook, visible
from grader.release import SelectLanguage, Stamp

#: How long one cell may run, in seconds; training cells are the slow ones.
CELL_SECONDS = 900

#: Called after each cell with the number of cells done and of all cells.
Tell = Callable[[int, int], None]


def executed(root: Path, unit: str, tell: Tell = lambda done, total: None) -> NotebookNode:
    """A unit's solved notebook, run from top to bottom; from build/executed where nothing has changed since.

    The hidden tests are cut before the run. Raises `CourseError` where a cell fails.
    """
    notebook = solved(root, unit)
    kept = root / "build" / "executed"
    kept.mkdir(parents=True, exist_ok=True)
    # The lock lets a second process wait for the first one's run instead of running it again.
    with FileLock(kept / f"{unit}.lock"):
        path = kept / f"{unit}-{_digest(root, notebook)}.ipynb"
        if not path.is_file():
            _run(root, unit, notebook, tell)
            for old in kept.glob(f"{unit}-*.ipynb"):
                old.unlink()
            unfinished = path.with_suffix(".new")
            unfinished.write_text(nbformat.writes(notebook), encoding="utf-8")
            unfinished.replace(path)
        return read_notebook(path)


def solved(root: Path, unit: str) -> NotebookNode:
    """The author's notebook in English, its addresses filled in, without the hidden tests."""
    notebook = read_notebook(root / "solutions" / unit / f"{unit}.ipynb")
    steps: list[NbGraderPreprocessor] = [SelectLanguage(), Stamp()]
    for step in steps:
        notebook, _ = step.preprocess(notebook, {"nbgrader": {"assignment": unit}})
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = visible(cell.source)
    return notebook


def _run(root: Path, unit: str, notebook: NotebookNode, tell: Tell) -> None:
    # Two folders below the root, where the set-up cell looks for the course.
    folder = root / "build" / f"run-{os.getpid()}"
    folder.mkdir()
    total = len(notebook.cells)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its remarks on transport would cut through the progress
        on_cell_complete=lambda cell, cell_index: tell(cell_index + 1, total),
    )
    try:
        client.execute(env={**os.environ, "GRADER_STATIC": "1"})  # pictures in place of sliders; no progress kept
    except (CellExecutionError, CellTimeoutError) as error:
        says = str(error).strip().splitlines()[-1]
        raise CourseError(f"The solved notebook of {unit} does not run: {says}. Mend solutions/{unit}.") from error
    finally:
        shutil.rmtree(folder)
    tell(total, total)


def _digest(root: Path, notebook: NotebookNode) -> str:
    """Of all that a run reads: the cells, the package, the recordings, the versions of the libraries."""
    digest = hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode())
    read = [*(root / "grader").rglob("*.py"), *(root / "data").rglob("*.*"), root / "requirements.lock"]
    for path in sorted(read):
        if path.is_file():
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
