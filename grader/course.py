"""Where a course lives and what its units hold, read from the units' own sources."""

import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

#: Before the grade_id of a check cell stands this, before that of a stub nothing: `check_softmax`, `softmax`.
CHECK = "check_"


class CourseError(Exception):
    """The course, or a file handed in, is not as it must be. The message says what to do."""


@dataclass(frozen=True)
class Unit:
    """One unit as its author wrote it.

    `points` are those of each exercise in order; `demos` are the sources of the cells that grading leaves out,
    `given` those of the other cells that run as the author wrote them, `training` those of them that train what an
    exercise needs and so have a time limit of their own; `checks` are the visible parts of the check
    cells, by exercise; `marks` is nbgrader's metadata of every graded or solved cell, by grade_id.
    """

    name: str
    points: dict[str, float]
    demos: frozenset[str]
    given: frozenset[str]
    training: frozenset[str]
    checks: dict[str, str]
    marks: dict[str, dict]

    @property
    def max_score(self) -> float:
        """All points of the unit."""
        return sum(self.points.values())

    def to_plain(self) -> dict:
        """What JSON can hold, in an order that is always the same."""
        return {name: sorted(one) if isinstance(one, frozenset) else one for name, one in asdict(self).items()}

    @classmethod
    def from_plain(cls, plain: dict) -> "Unit":
        """From what `to_plain` gave."""
        return cls(**{**plain, **{name: frozenset(plain[name]) for name in ("demos", "given", "training")}})


def course_root(start: Path | None = None) -> Path:
    """The folder that holds nbgrader_config.py and solutions/: here, above here, or around this package.

    Raises `CourseError` where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for place in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (place / "nbgrader_config.py").is_file() and (place / "solutions").is_dir():
            return place
    raise CourseError(f"No course here: {here} and the folders above it hold no nbgrader_config.py with solutions/.")


def unit_names(root: Path) -> list[str]:
    """The names of the units under `root`, in order."""
    return sorted(path.parent.name for path in (root / "solutions").glob("*/*.py") if path.stem == path.parent.name)


def source_path(root: Path, unit: str) -> Path:
    """The py:percent file that a unit is written in. `CourseError` names the units there are."""
    path = root / "solutions" / unit / f"{unit}.py"
    if not path.is_file():
        raise CourseError(f"There is no unit {unit!r}. The units are {', '.join(unit_names(root))}.")
    return path


def load_unit(root: Path, name: str) -> Unit:
    """Read a unit from its source."""
    path = source_path(root, name)
    return _load_unit(path, name, path.stat().st_mtime_ns)


@lru_cache
def _load_unit(path: Path, name: str, _modified: int) -> Unit:
    import jupytext

    points: dict[str, float] = {}
    demos: set[str] = set()
    given: set[str] = set()
    training: set[str] = set()
    checks: dict[str, str] = {}
    marks: dict[str, dict] = {}
    for cell in jupytext.read(path).cells:
        found = cell.metadata.get("nbgrader", {})
        if found:
            marks[found["grade_id"]] = dict(found)
        if found.get("grade"):
            exercise = found["grade_id"].removeprefix(CHECK)
            points[exercise] = float(found["points"])
            checks[exercise] = visible(cell.source)
            given.add(checks[exercise])
        elif cell.cell_type == "code" and not found:
            tags = cell.metadata.get("tags", [])
            (demos if "demo" in tags else given).add(cell.source.strip())
            if "training" in tags and "demo" not in tags:
                training.add(cell.source.strip())
    return Unit(name, points, frozenset(demos), frozenset(given), frozenset(training), checks, marks)


def visible(source: str) -> str:
    """A check cell without its hidden region."""
    kept, hidden = [], False
    for line in source.splitlines():
        if "BEGIN HIDDEN TESTS" in line:
            hidden = True
        if not hidden:
            kept.append(line)
        if "END HIDDEN TESTS" in line:
            hidden = False
    return "\n".join(kept).rstrip()


def read_notebook(path: Path) -> NotebookNode:
    """A notebook in format 4, whatever it was saved in. `CourseError` says what is wrong with a file that is none."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what nbformat mends by itself is no news to anybody
            notebook = nbformat.reads(text.decode("utf-8-sig"), as_version=4)
        cells = notebook.cells
        fine = all(isinstance(cell.source, str) and isinstance(cell.metadata, dict) for cell in cells)
    except Exception as error:  # nbformat raises many kinds for what is no notebook
        raise CourseError(
            f"{path} is not a Jupyter notebook ({_first_line(error)}). Save it again from Jupyter."
        ) from error
    if not fine:
        raise CourseError(f"{path} is not a Jupyter notebook (a cell has no text). Save it again from Jupyter.")
    return notebook


def grade_id(cell: NotebookNode) -> str:
    """A cell's grade_id, or nothing; odd metadata counts as none."""
    marks = cell.metadata.get("nbgrader")
    found = marks.get("grade_id") if isinstance(marks, dict) else None
    return found if isinstance(found, str) else ""


def unit_of(notebook: NotebookNode, root: Path) -> str:
    """The unit whose exercises the notebook holds most of. `CourseError` where it holds none."""
    ids = {grade_id(cell).removeprefix(CHECK) for cell in notebook.cells}
    counts = {name: len(ids & load_unit(root, name).points.keys()) for name in unit_names(root)}
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or counts[best] == 0:
        raise CourseError(
            "It holds no exercise of this course: the cells of every unit are marked, and it has none of them."
        )
    return best


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
