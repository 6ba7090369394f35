"""`grader grade`: a class's submissions from the folder they were handed in to the gradebook.

Each is taken in (mended, or replaced by a blank with the reason), examined, possibly by many workers at once,
and written to the gradebook by this process alone. What is examined is kept in a journal until the whole run has its
verdicts, so that a run that was cut short goes on where it stopped.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import nbformat
from filelock import FileLock, Timeout
from nbgrader.api import MissingEntry
from nbgrader.apps import NbGraderAPI

from grader.autograde import READY, confined
from grader.course import CourseError, load_unit
from grader.examiner import CELL_SECONDS, NOTEBOOK_SECONDS
from grader.fleet import Fleet, Unexamined, cores, in_this_process, local_cluster, remote_cluster
from grader.gradebook import nbgrader_api, place
from grader.intake import take_in
from grader.journal import Journal
from grader.outcome import Outcome
from grader.patience import patiently, try_out
from grader.seed import grading_seed
from grader.work import Work, files_beside, fingerprint

#: A worker takes about as long to start as this many submissions to examine.
WORTH_A_WORKER = 8

#: A unit and a student.
Pair = tuple[str, str]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Submission:
    """How grading one submission went. `trouble` says why it needs a human; its score is what could be graded.

    `has_verdict` is False where nothing was written to the gradebook.
    """

    student: str
    unit: str
    score: float
    max_score: float
    records: tuple[dict, ...] = ()
    trouble: str = ""
    has_verdict: bool = True


@dataclass(frozen=True)
class Settings:
    """How a class is graded: by `jobs` processes of this machine, or by the workers of `scheduler`.

    1 is this process; 0 is one process a core, or fewer where the class is so small that starting them takes longer.
    """

    jobs: int = 1
    scheduler: str = ""
    unsafe: bool = False
    cell_seconds: float = CELL_SECONDS
    notebook_seconds: float = NOTEBOOK_SECONDS


def handed_in(root: Path, units: list[str], students: list[str]) -> list[Pair]:
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
    submissions: list[Pair],
    settings: Settings,
    progress: Callable[[Submission], None] = lambda submission: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Submission]:
    """Grade submissions and write them to the gradebook as they come; in the order in which they were given.

    Never raises for what was handed in. Doing it again gives the same scores and keeps grades given by hand; where
    the last run was cut short, or left some without a verdict, what has one already is not examined again.
    `progress` gets each submission, `say` a sentence on what is waited for.

    Raises `CourseError` where grading cannot go on: no sandbox, no scheduler, a worker that is not fit, another run at
    work, and where the database or the disk stays away. Nothing that was done is lost.
    """
    if not settings.scheduler:
        confined(settings.unsafe)
    with _alone(root):
        run = _Run(root, settings, say)
        done: dict[Pair, Submission] = {}
        for pair, submission in run.graded(submissions):
            done[pair] = submission
            progress(submission)
        if all(one.has_verdict for one in done.values()):
            for pair in submissions:
                run.journal.forget(*pair)
    return [done[pair] for pair in submissions]


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """While this run is at work no other is; the lock goes with the process, however it ends."""
    (root / "gradebook").mkdir(exist_ok=True)
    try:
        with FileLock(root / "gradebook" / "grading.lock", timeout=0):
            yield
    except Timeout:
        raise CourseError(
            f"Another `grader grade` is at work on {root / 'gradebook'}. Wait until it has ended."
        ) from None


class _Run:
    """One run of `grader grade`: the only one that writes to the gradebook."""

    def __init__(self, root: Path, settings: Settings, say: Callable[[str], None]) -> None:
        self.root = root
        self.settings = settings
        self.say = say
        self.seed = grading_seed(root)
        self.intake = root / "gradebook" / "intake"
        self.journal = Journal(root / "gradebook" / "journal")
        self.collected = nbgrader_api(root)
        self.api = nbgrader_api(root, CourseDirectory={"submitted_directory": str(self.intake)})
        self.troubles: dict[Pair, str] = {}

    def graded(self, submissions: list[Pair]) -> Iterator[tuple[Pair, Submission]]:
        """Each submission as its verdict is written, first those that an earlier run examined."""
        left = []
        for pair in submissions:
            outcome = self._examined_before(pair) if self.journal.holds(*pair) else None
            if outcome is None:
                left.append(pair)
            elif self.journal.recorded(*pair) and self._is_recorded(pair):
                yield pair, self._earned(pair)
            else:
                yield pair, self._record(pair, outcome)
        for pair, key, outcome in self._examine(left):
            if isinstance(outcome, Unexamined):
                unit, student = pair
                trouble = self.troubles[pair] or outcome.why
                most = load_unit(self.root, unit).max_score
                yield pair, Submission(student, unit, 0.0, most, (), trouble, has_verdict=False)
            else:
                self._patiently(lambda pair=pair, key=key, text=outcome: self.journal.keep(*pair, key, text))
                yield pair, self._record(pair, outcome)

    def _examined_before(self, pair: Pair) -> str | None:
        return self.journal.outcome(*pair, self._taken_in(pair).key)

    def _is_recorded(self, pair: Pair) -> bool:
        """Whether the gradebook still has what the journal says: somebody may have begun anew with either."""
        return self._graded_notebook(pair).exists() and self._patiently(lambda: self._score(pair)) is not None

    def _examine(self, pairs: list[Pair]) -> Iterator[tuple[Pair, str, str | Unexamined]]:
        """Each submission's outcome as JSON as it comes, or why there is none; and the key of its work."""
        if not pairs:
            return
        works = ((pair, self._taken_in(pair)) for pair in pairs)
        if self.settings.scheduler:
            ended = Fleet[Pair](remote_cluster(self.settings.scheduler, self.say), self.say).examined(works)
        elif self.settings.jobs == 1:
            ended = in_this_process(works)
        else:
            most = self.settings.jobs or min(cores(), -(-len(pairs) // WORTH_A_WORKER))
            ended = self._examine_here(works, min(most, len(pairs)))
        for pair, work, outcome in ended:
            yield pair, work.key, outcome

    def _examine_here(
        self, works: Iterator[tuple[Pair, Work]], workers: int
    ) -> Iterator[tuple[Pair, Work, str | Unexamined]]:
        with local_cluster(workers) as connect:
            yield from Fleet[Pair](connect, self.say).examined(works)

    def _taken_in(self, pair: Pair) -> Work:
        """Put a submission, mended, where nbgrader will find it; and what a worker needs of it."""
        unit, student = pair
        definition, folder = load_unit(self.root, unit), self.intake / student / unit
        source = place(self.collected, "submitted", unit, student)
        self.troubles[pair] = self._patiently(lambda: take_in(source, definition, folder))
        return Work(
            notebook=(folder / f"{unit}.ipynb").read_text(encoding="utf-8"),
            files=files_beside(folder),
            unit=definition.to_plain(),
            seed=self.seed,
            unsafe=self.settings.unsafe,
            cell_seconds=self.settings.cell_seconds,
            notebook_seconds=self.settings.notebook_seconds,
            grader=fingerprint(),
        )

    def _record(self, pair: Pair, outcome: str) -> Submission:
        """Have nbgrader write one examined submission to the gradebook, and read back what it earned."""
        unit, student = pair
        for _ in range(2):  # what failed may have been away for just that moment
            why = self._patiently(lambda: _write(self.api, pair, Outcome.from_json(outcome)))
            if not why:
                break
        else:
            most = load_unit(self.root, unit).max_score
            return Submission(student, unit, 0.0, most, (), self.troubles[pair] or why, has_verdict=False)
        if not self.journal.recorded(*pair):
            self.journal.mark_recorded(*pair)
        return self._earned(pair)

    def _earned(self, pair: Pair) -> Submission:
        """What the gradebook holds of a submission."""
        unit, student = pair
        score = self._patiently(lambda: self._score(pair)) or 0.0
        graded = nbformat.read(self._graded_notebook(pair), as_version=4)
        records = tuple(cell.metadata["sori"] for cell in graded.cells if "sori" in cell.metadata)
        return Submission(student, unit, score, load_unit(self.root, unit).max_score, records, self.troubles[pair])

    def _graded_notebook(self, pair: Pair) -> Path:
        unit, student = pair
        return place(self.api, "autograded", unit, student) / f"{unit}.ipynb"

    def _score(self, pair: Pair) -> float | None:
        with self.api.gradebook as gradebook:
            try:
                return gradebook.find_submission(*pair).score
            except MissingEntry:
                return None

    def _patiently(self, call: Callable[[], Found]) -> Found:
        return patiently(call, self.say)


def _write(api: NbGraderAPI, pair: Pair, outcome: Outcome) -> str:
    """Have nbgrader write an outcome; why it did not, or "". Raises where the database is away or the disk is full."""
    READY[pair] = outcome
    result = api.autograde(*pair)
    READY.pop(pair, None)
    if result["success"]:
        return ""
    try_out(api)
    lines = (result.get("log", "") + result.get("error", "")).strip().splitlines()
    return (lines or ["nbgrader failed"])[-1]
