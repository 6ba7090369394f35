"""What a class got right and wrong, for its instructor: read from the graded notebooks and the gradebook."""

import json
import os
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nbgrader.apps import NbGraderAPI

from grader.course import CHECK, CourseError, Unit, load_unit, unit_names
from grader.exercise import ExerciseError, find_exercise
from grader.gradebook import nbgrader_api, place
from grader.grades import Grades, read_grades
from grader.intake import read_submission
from grader.spreadsheet import write_csv

#: What an exercise can come to, the best first.
STATUSES = ("passed", "partial", "failed", "error", "missing")
#: How many submissions are listed as the slowest, and how many mistakes a unit's summary names.
SLOWEST, COMMON = 5, 10
#: The most characters of a message that are shown.
_LONGEST = 200


@dataclass(frozen=True)
class Result:
    """How one submission went: the points that count, the record of each exercise, how long examining it took.

    `trouble` says why a submission needs a human; its records, if it has any, say nothing of its author.
    """

    student: str
    score: float
    scores: dict[str, float]
    records: dict[str, dict[str, Any]]
    seconds: float | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Mistake:
    """A mistake, how many students made it, and their share of the class; `named` where the exercise knows it."""

    exercise: str
    name: str
    says: str
    named: bool
    students: int
    share: float


@dataclass(frozen=True)
class ExerciseReport:
    """One exercise: how many submissions came to each status, the points they earned, their mistakes by number."""

    name: str
    max_score: float
    statuses: dict[str, int]
    scores: list[float]
    mistakes: list[Mistake]

    @property
    def pass_rate(self) -> float:
        """The share of submissions that pass everything; 0 where there are none."""
        return self.statuses["passed"] / max(1, sum(self.statuses.values()))

    @property
    def mean(self) -> float:
        """Points on average."""
        return statistics.fmean(self.scores) if self.scores else 0.0


@dataclass(frozen=True)
class UnitReport:
    """One unit. Rates are of the submissions that could be graded; the others are in `failed`."""

    name: str
    max_score: float
    points: dict[str, float]
    results: list[Result]

    @cached_property
    def graded(self) -> list[Result]:
        """The submissions that could be graded."""
        return [result for result in self.results if not result.trouble]

    @property
    def failed(self) -> list[Result]:
        """The submissions that need a human."""
        return [result for result in self.results if result.trouble]

    @property
    def slowest(self) -> list[Result]:
        """The submissions that took longest to examine, the slowest first."""
        timed = [result for result in self.results if result.seconds is not None]
        return sorted(timed, key=lambda result: -(result.seconds or 0.0))[:SLOWEST]

    @cached_property
    def exercises(self) -> list[ExerciseReport]:
        """The exercises in the unit's order."""
        return [_exercise(name, points, self.graded) for name, points in self.points.items()]

    @property
    def mistakes(self) -> list[Mistake]:
        """The mistakes of all exercises, the most common first."""
        every = [mistake for exercise in self.exercises for mistake in exercise.mistakes]
        return sorted(every, key=lambda mistake: -mistake.students)

    @property
    def nobody(self) -> list[str]:
        """The exercises that nobody passes."""
        return [one.name for one in self.exercises if self.graded and one.pass_rate == 0.0]

    @property
    def everybody(self) -> list[str]:
        """The exercises that everybody passes."""
        return [one.name for one in self.exercises if self.graded and one.pass_rate == 1.0]

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """A quarter, half and three quarters of the class have at most these points."""
        scores = [result.score for result in self.graded]
        if len(scores) < 2:
            return (*scores, *scores, *scores) if scores else (0.0, 0.0, 0.0)
        low, middle, high = statistics.quantiles(scores, n=4, method="inclusive")
        return low, middle, high


def read_reports(
    root: Path, units: list[str] | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[UnitReport]:
    """The reports of `units`; by default of every unit that something was handed in for.

    `progress(done, all)` is called after each submission. `CourseError` where there is nothing to report.
    """
    api = nbgrader_api(root)
    classes = {unit: _students(api, load_unit(root, unit)) for unit in units or unit_names(root)}
    total, done = sum(map(len, classes.values())), 0
    if not total:
        raise CourseError(f"Nothing to report: nobody has handed in {' or '.join(units or ['anything'])} yet.")
    reports = []
    for name, students in classes.items():
        if not students:
            continue
        unit, results = load_unit(root, name), []
        grades = {one.student: one for one in read_grades(root, name)}
        for student in students:
            results.append(_result(api, unit, student, grades.get(student)))
            done += 1
            progress(done, total)
        reports.append(UnitReport(name, unit.max_score, unit.points, results))
    return reports


def write_tables(reports: list[UnitReport], folder: Path) -> list[Path]:
    """Write exercises.csv, mistakes.csv, scores.csv and submissions.csv; the last is the only one with student ids."""
    exercises = [(unit.name, one) for unit in reports for one in unit.exercises]
    return [
        write_csv(
            folder / "exercises.csv",
            ["unit", "exercise", "submissions", *STATUSES, "pass_rate", "mean_points", "max_points"],
            (
                [
                    *(unit, one.name, len(one.scores)),
                    *one.statuses.values(),
                    *(round(one.pass_rate, 4), round(one.mean, 4), one.max_score),
                ]
                for unit, one in exercises
            ),
        ),
        write_csv(
            folder / "mistakes.csv",
            ["unit", "exercise", "mistake", "says", "known", "students", "share"],
            (
                [
                    unit,
                    one.exercise,
                    one.name,
                    one.says,
                    "yes" if one.named else "no",
                    one.students,
                    round(one.share, 4),
                ]
                for unit, exercise in exercises
                for one in exercise.mistakes
            ),
        ),
        write_csv(
            folder / "scores.csv",
            ["unit", "exercise", "points", "submissions"],
            (
                [unit, one.name, points, number]
                for unit, one in exercises
                for points, number in sorted(Counter(one.scores).items())
            ),
        ),
        write_csv(
            folder / "submissions.csv",
            ["unit", "student", "look", "seconds", "why"],
            (
                [unit.name, one.student, look, "" if one.seconds is None else one.seconds, one.trouble]
                for unit in reports
                for look, listed in (("failed", unit.failed), ("slow", unit.slowest))
                for one in listed
            ),
        ),
    ]


def _students(api: NbGraderAPI, unit: Unit) -> list[str]:
    """Everybody who handed in the unit."""
    folders = place(api, "submitted", unit.name, "").parent.glob(f"*/{unit.name}")
    return sorted(folder.parent.name for folder in folders)


def _result(api: NbGraderAPI, unit: Unit, student: str, grades: Grades | None) -> Result:
    records, seconds = _verdicts(place(api, "autograded", unit.name, student) / f"{unit.name}.ipynb", unit)
    if grades is None or not grades.scores or not records:
        return Result(student, 0.0, {}, {}, seconds, f"It has no verdict. Run `grader grade {unit.name}` (again).")
    trouble = ""
    if all(record["status"] == "missing" for record in records.values()):  # left blank, or never a notebook?
        handed_in = place(api, "submitted", unit.name, student)
        try:
            read_submission(handed_in / f"{unit.name}.ipynb", unit)
        except CourseError as error:
            trouble = str(error).replace(f"{handed_in}{os.sep}", "")
    return Result(student, grades.total, grades.scores, records, seconds, trouble)


def _verdicts(path: Path, unit: Unit) -> tuple[dict[str, dict[str, Any]], float | None]:
    """The records in a graded notebook's check cells, and how long examining it took. Nothing where there is none."""
    try:
        notebook = json.loads(path.read_bytes())  # written by us: as plain JSON it is read ten times as fast
    except (OSError, ValueError):
        return {}, None
    records = {}
    for cell in notebook["cells"]:
        marks, record = cell["metadata"].get("nbgrader", {}), cell["metadata"].get("sori")
        name = marks.get("grade_id", "").removeprefix(CHECK)
        if record and name in unit.points:
            records[name] = record
    return records, notebook["metadata"].get("sori", {}).get("seconds")


def _exercise(name: str, points: float, graded: list[Result]) -> ExerciseReport:
    records = [result.records[name] for result in graded if name in result.records]
    statuses = Counter(record["status"] for record in records)
    return ExerciseReport(
        name,
        points,
        {status: statuses[status] for status in STATUSES},
        [result.scores.get(name, 0.0) for result in graded],
        _mistakes(name, records),
    )


def _mistakes(exercise: str, records: list[dict[str, Any]]) -> list[Mistake]:
    """What was written and is wrong, the most common first."""
    try:
        known = {one.name: one.says for one in find_exercise(exercise).misconceptions}
    except ExerciseError:  # graded when the unit still had it
        known = {}
    said: dict[str, Counter[str]] = {}
    for record in records:
        if record["mistake"] and record["status"] != "missing":
            said.setdefault(record["mistake"], Counter())[record["says"] or ""] += 1
    found = []
    for name, messages in said.items():
        ((most, _),) = messages.most_common(1)
        says = known.get(name) or (f"{name}, for example: {most}" if most and most != name else name)
        shown = says if len(says) <= _LONGEST else says[: _LONGEST - 1] + "…"
        found.append(Mistake(exercise, name, shown, name in known, messages.total(), messages.total() / len(records)))
    return sorted(found, key=lambda mistake: (-mistake.students, mistake.name))
