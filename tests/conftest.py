"""Courses on scratch copies, and notebooks handed in to them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from grader.course import grade_id, read_notebook, unit_names
from grader.release import release
from tests.browser import chromium  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[1]
UNITS = unit_names(ROOT)


@pytest.fixture(scope="session")
def scratch_course(tmp_path_factory) -> Path:
    """A copy of the course's sources, released there; for tests that only read it."""
    return make_course(tmp_path_factory.mktemp("course"))


def make_course(root: Path, units: list[str] = UNITS) -> Path:
    """Copy the sources of some units to `root` and release them."""
    for unit in units:
        (root / "solutions" / unit).mkdir(parents=True)
        shutil.copy(ROOT / "solutions" / unit / f"{unit}.py", root / "solutions" / unit)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    release(root)
    return root


def solved(root: Path, unit: str) -> nbformat.NotebookNode:
    """What a student who solved everything hands in: the released notebook with the author's solutions."""
    answers = {
        grade_id(cell): "\n".join(line for line in cell.source.splitlines() if "### " not in line)
        for cell in author_notebook(root, unit).cells
        if is_solution(cell)
    }
    return edited(root, unit, lambda cell: answers.get(grade_id(cell)))


def edited(root: Path, unit: str, change: Callable) -> nbformat.NotebookNode:
    """The released notebook with the source of each cell replaced by `change(cell)` where that is not None."""
    notebook = read_notebook(root / "course" / unit / f"{unit}.ipynb")
    for cell in notebook.cells:
        source = change(cell)
        if source is not None:
            cell.source = source
    return notebook


def author_notebook(root: Path, unit: str) -> nbformat.NotebookNode:
    """The notebook that the unit's author wrote."""
    return read_notebook(root / "solutions" / unit / f"{unit}.ipynb")


def is_solution(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is where a student writes."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The one test that takes minutes begins first, so that the other worker has enough to do beside it."""
    slowest = "test_the_solved_notebook_runs_alone_without_error_or_warning[13_capstone]"
    items.sort(key=lambda item: item.name != slowest)
