"""What a released unit says to its reader: its exercises in order, their folded hints, where the solved notebook is."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1] / "course"

_HEADING = re.compile(r"^### Exercise (\d+\.\d+) · (.+) · [★☆]{3} · (\d+) min · \d+ points?$", re.MULTILINE)
_HINT = re.compile(r"<details><summary>(Hint \d+: .+?)</summary>\s*(.+?)\s*</details>", re.DOTALL)
_BADGE = re.compile(r"https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/([\w./-]+?)/course/")


@dataclass(frozen=True)
class Announced:
    """An exercise as its text announces it: the function to write, `2.3`, its title, minutes, and hints.

    Each hint is its heading and its text, in Markdown.
    """

    name: str
    number: str
    title: str
    minutes: int
    hints: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lesson:
    """A released unit: its title, its exercises in order, and the address of its solved notebook, if it has one."""

    unit: str
    title: str
    exercises: tuple[Announced, ...]
    solved: str


def lessons(course: Path = COURSE) -> list[Lesson]:
    """Every released unit in order."""
    paths = sorted(path for path in course.glob("*/*.ipynb") if path.stem == path.parent.name)
    return [read_lesson(path.stem, course) for path in paths]


@lru_cache
def read_lesson(unit: str, course: Path = COURSE) -> Lesson:
    """Read a unit's released notebook.

    Raises:
        FileNotFoundError: where it is not there.
        ValueError: where it is not a notebook.
    """
    try:
        cells = json.loads((course / unit / f"{unit}.ipynb").read_text(encoding="utf-8"))["cells"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{course / unit / unit}.ipynb is not a notebook") from error
    exercises: list[Announced] = []
    text = ""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            text += f"{_joined(cell['source'])}\n\n"
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("solution"):
            exercises += _announced(marks["grade_id"], text)
            text = ""
    first = next((_joined(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"), "")
    return Lesson(unit, first.partition("\n")[0].lstrip("# "), tuple(exercises), _solved(unit, first, course))


def _announced(name: str, text: str) -> list[Announced]:
    """The exercise whose text ends here: the last heading, and the hints below it."""
    headings = list(_HEADING.finditer(text))
    if not headings:
        return []
    number, title, minutes = headings[-1].groups()
    return [Announced(name, number, title, int(minutes), tuple(_HINT.findall(text, headings[-1].end())))]


def _solved(unit: str, first: str, course: Path) -> str:
    """Where the solved notebook can be read: on the web, as the badge was stamped, else in the course's folder."""
    badge = _BADGE.search(first)
    if badge and not badge[1].startswith("OWNER/"):
        return f"https://github.com/{badge[1]}/blob/{badge[2]}/solutions/{unit}/{unit}.ipynb"
    local = course.parent / "solutions" / unit / f"{unit}.ipynb"
    return str(local) if local.is_file() else ""


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
