"""`grader grade`: a class's submissions from the folder they were handed in to the gradebook.

Each is taken in (mended, or replaced by a blank with the reason), examined, possibly by several processes at once,
and written to the gradebook by this one alone.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
from nbgrader.apps import NbGraderAPI

from grader.autograde import READY, confined
from grader.course import Unit, load_unit, read_notebook
from grader.examiner import CELL_SECONDS, NOTEBOOK_SECONDS, examine_notebook
from grader.gradebook import nbgrader_api, place
from grader.intake import take_in
from grader.outcome import Outcome
from grader.seed import grading_seed


@dataclass(frozen=True)
class Submission:
    """How grading one submission went. `trouble` says why it needs a human; its score is what could be graded."""

    student: str
    unit: str
    score: float
    max_score: float
    records: tuple[dict, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Settings:
    """How a class is graded."""

    jobs: int = 1
    unsafe: bool = False
    cell_seconds: float = CELL_SECONDS
    notebook_seconds: float = NOTEBOOK_SECONDS


def handed_in(root: Path, units: list[str], students: list[str]) -> list[tuple[str, str]]:
    """The (unit, student) pairs that have a folder under gradebook/submitted, in order."""
    api = nbgrader_api(root)
    found = []
    for unit in units:
        load_unit(root, unit)
        for folder in sorted(place(api, "submitted", unit, "").parent.glob(f"*/{unit}")):
            if not students or folder.parent.name in students:
                found.append((unit, folder.parent.name))
    return found


def grade_class(
    root: Path,
    submissions: list[tuple[str, str]],
    settings: Settings,
    progress: Callable[[Submission], None] = lambda submission: None,
) -> list[Submission]:
    """Grade submissions and write them to the gradebook as they come; in the order in which they were given.

    Never raises for what was handed in. Doing it again gives the same scores and keeps grades given by hand.
    """
    confine = confined(settings.unsafe)
    intake = root / "gradebook" / "intake"
    collected = nbgrader_api(root)
    api = nbgrader_api(root, CourseDirectory={"submitted_directory": str(intake)})
    troubles: dict[tuple[str, str], str] = {}
    for unit, student in submissions:
        source = place(collected, "submitted", unit, student)
        troubles[unit, student] = take_in(source, load_unit(root, unit), intake / student / unit)
    done: dict[tuple[str, str], Submission] = {}
    for (unit, student), outcome in _outcomes(root, intake, submissions, settings, confine):
        definition, trouble = load_unit(root, unit), troubles[unit, student]
        if isinstance(outcome, Outcome):
            READY[unit, student] = outcome
            done[unit, student] = _record(api, definition, student, trouble)
        else:  # not examined again here: whatever ended that process would end this one
            done[unit, student] = Submission(student, unit, 0.0, definition.max_score, (), trouble or outcome)
        progress(done[unit, student])
    return [done[one] for one in submissions]


def _outcomes(
    root: Path, intake: Path, submissions: list[tuple[str, str]], settings: Settings, confine: bool
) -> Iterator[tuple[tuple[str, str], Outcome | str]]:
    """Each submission's outcome as it comes, or why there is none."""
    seed = grading_seed(root)
    work = {
        (unit, student): (root, unit, intake / student / unit / f"{unit}.ipynb", seed, settings, confine)
        for unit, student in submissions
    }
    if settings.jobs == 1:
        for one, arguments in work.items():
            yield one, _outcome(partial(_examine, *arguments))
        return
    with ProcessPoolExecutor(settings.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(_examine, *arguments): one for one, arguments in work.items()}
        for future in as_completed(waiting):
            yield waiting[future], _outcome(future.result)


def _outcome(examined: Callable[[], str]) -> Outcome | str:
    """The outcome, or why there is none: one that cannot be examined must not stop the others."""
    try:
        return Outcome.from_json(examined())
    except BrokenProcessPool:
        return "The process that examined it ended. Grade it again, alone."
    except Exception as error:
        return f"Examining it failed ({type(error).__name__}: {error}). Grade it again, alone."


def _examine(root: Path, unit: str, path: Path, seed: str, settings: Settings, confine: bool) -> str:
    """One submission's outcome as JSON; runs in a process of its own where there are several jobs."""
    notebook = read_notebook(path)
    graded = examine_notebook(
        notebook,
        load_unit(root, unit),
        seed,
        folder=path.parent,
        confined=confine,
        cell_seconds=settings.cell_seconds,
        notebook_seconds=settings.notebook_seconds,
    )
    return Outcome.of(graded, notebook).to_json()


def _record(api: NbGraderAPI, unit: Unit, student: str, trouble: str) -> Submission:
    """Let nbgrader write one examined submission to the gradebook, and read back what it earned."""
    result = api.autograde(unit.name, student)
    READY.pop((unit.name, student), None)
    if not result["success"]:
        lines = (result.get("log", "") + result.get("error", "")).strip().splitlines()
        return Submission(student, unit.name, 0.0, unit.max_score, (), trouble or (lines or ["nbgrader failed"])[-1])
    with api.gradebook as gradebook:
        score = gradebook.find_submission(unit.name, student).score
    graded = nbformat.read(place(api, "autograded", unit.name, student) / f"{unit.name}.ipynb", as_version=4)
    records = tuple(cell.metadata["sori"] for cell in graded.cells if "sori" in cell.metadata)
    return Submission(student, unit.name, score, unit.max_score, records, trouble)
