"""Grades and feedback for a learning management system: the columns that Canvas and Moodle import, and a zip.

Whoever handed in nothing, or has no grade yet, is left out: an empty cell would take away a grade that the system
has.
"""

import csv
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader.course import CourseError, load_unit
from grader.gradebook import nbgrader_api, place
from grader.grades import Grades, read_grades
from grader.spreadsheet import write_csv


@dataclass(frozen=True)
class Exported:
    """What was written, for how many students, and who was left out."""

    path: Path
    students: int
    left_out: list[str]


def export_grades(root: Path, unit: str, system: str, path: Path, column: str = "") -> Exported:
    """Write the points of `unit` in the columns that `system`, "canvas" or "moodle", imports.

    `column` is the name of the assignment there, by default the unit's. Points are those that count: given by hand
    where they were, late penalties taken away. `CourseError` where nobody has a grade, or for another system.
    """
    if system not in _SYSTEMS:
        raise CourseError(f"Grades are exported to {' or '.join(_SYSTEMS)}, not to {system!r}.")
    grades = read_grades(root, unit)
    graded = [one for one in grades if one.scores]
    if not graded:
        raise CourseError(f"Nobody has a grade for {unit} yet. Run `grader grade {unit}` first.")
    heading, rows = _SYSTEMS[system](graded, column or unit, load_unit(root, unit).max_score)
    write_csv(path, heading, rows)
    return Exported(path, len(graded), [one.student for one in grades if not one.scores])


def _canvas(grades: list[Grades], column: str, max_score: float) -> tuple[list[str], list[list[object]]]:
    """Canvas finds students by its own number, else by login; its first row after the heading has the points."""
    heading = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", column]
    possible: list[object] = ["    Points Possible", "", "", "", "", max_score]
    return heading, [possible, *([one.name, one.lms_id, "", one.student, "", one.total] for one in grades)]


def _moodle(grades: list[Grades], column: str, max_score: float) -> tuple[list[str], list[list[object]]]:
    """Moodle asks at the import which column says who it is, and which is the grade item."""
    heading = ["First name", "Last name", "Username", "ID number", "Email address", column]
    return heading, [[one.first_name, one.last_name, one.student, one.lms_id, one.email, one.total] for one in grades]


_SYSTEMS: dict[str, Callable[[list[Grades], str, float], tuple[list[str], list[list[object]]]]] = {
    "canvas": _canvas,
    "moodle": _moodle,
}


def export_feedback(root: Path, unit: str, path: Path, worksheet: Path | None = None) -> Exported:
    """Write everybody's feedback on `unit` into one zip, a page a student: STUDENT_UNIT.html.

    `worksheet` is the grading worksheet that Moodle's assignment offers for download: with it the names are those
    by which Moodle hands the pages out, and who is not in it is left out. `CourseError` where there is no feedback.
    """
    load_unit(root, unit)
    pages = sorted(place(nbgrader_api(root), "feedback", unit, "").parent.glob(f"*/{unit}/{unit}.html"))
    if not pages:
        raise CourseError(f"There is no feedback on {unit} yet. Run `nbgrader generate_feedback {unit}` first.")
    participants = _participants(root, unit, worksheet) if worksheet else None
    left_out, taken = [], set[str]()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for page in pages:
            student = page.parent.parent.name
            if participants is None:
                name = f"{safe_name(student)}_{unit}.html"
            elif student in participants:
                name = f"{participants[student]}_assignfeedback_file_{unit}.html"
            else:
                left_out.append(student)
                continue
            archive.write(page, _free(name, taken))
    return Exported(path, len(taken), left_out)


def safe_name(name: str) -> str:
    """A name that every system's files may have: letters, digits, `.`, `-` and `@`; the rest becomes `-`."""
    return re.sub(r"[^\w.@-]|_", "-", name).strip(".-") or "student"


def _free(name: str, taken: set[str]) -> str:
    """The name, numbered where another has it already; capitals do not tell two apart."""
    stem, number, free = name.removesuffix(".html"), 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{stem}-{number}.html"
    taken.add(free.casefold())
    return free


def _participants(root: Path, unit: str, worksheet: Path) -> dict[str, str]:
    """`Full name_12345` by student, from Moodle's worksheet; whatever language its headings are in."""
    try:
        with worksheet.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))[1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{worksheet} cannot be read as Moodle's grading worksheet: {error}.") from error
    grades = read_grades(root, unit)
    known = {word.casefold(): one.student for one in grades for word in (one.student, one.email) if word}
    found = {}
    for row in rows:
        number = re.search(r"\d+$", row[0].strip()) if row else None
        student = next((known[cell.casefold()] for cell in row[1:] if cell.casefold() in known), None)
        if number and student:
            found[student] = f"{safe_name(row[1])}_{number[0]}"
    if not found:
        raise CourseError(
            f"{worksheet} names nobody of this class. It should be the CSV file that Moodle's assignment offers as "
            "“Download grading worksheet”, with a column of e-mail addresses or user names that the gradebook knows."
        )
    return found
