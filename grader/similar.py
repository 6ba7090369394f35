"""Submissions that are more alike than chance would have it: places to look, never a verdict.

Only the learners' own answers are compared, by copydetect: names and comments do not count. What the unit's notebook
says itself, and what many in the class write the same way, is taken away first: short exercises have few right
answers.
"""

import io
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grader.course import CourseError, grade_id, load_unit, read_notebook
from grader.gradebook import nbgrader_api, place
from grader.intake import read_submission

try:
    from copydetect import CodeFingerprint, compare_files
except ImportError as error:
    raise CourseError('Comparing submissions needs one more package: `pip install -e ".[similar]"`.') from error

#: How many characters in a row must agree, names shortened and spaces left out, and how many a pair must share.
PASSAGE, SHARED = 25, 50
#: What more students than this write the same way is the exercise's form, not theirs.
MANY = 5


@dataclass(frozen=True)
class Place:
    """Where two students share code: the exercise, and the line of the first shared passage in the cell of each."""

    exercise: str
    lines: tuple[int, int]
    characters: int


@dataclass(frozen=True)
class Pair:
    """Two students: the share of their own code that agrees (of whoever wrote less), its size, and where it is."""

    students: tuple[str, str]
    alike: float
    characters: int
    places: list[Place]


def similar_pairs(root: Path, unit: str, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Pair]:
    """The pairs of submissions to `unit` that share most, those with the most in common first.

    What cannot be read is left out. `progress(done, all)` is called after each submission.
    """
    definition, api = load_unit(root, unit), nbgrader_api(root)
    paths = sorted(place(api, "submitted", unit, "").parent.glob(f"*/{unit}/{unit}.ipynb"))
    if not paths:
        raise CourseError(f"Nothing to compare: nobody has handed in {unit} yet.")
    released = read_notebook(root / "course" / unit / f"{unit}.ipynb")
    given = _passages(cell.source for cell in released.cells if cell.cell_type == "code")
    written: dict[str, dict[str, str]] = defaultdict(dict)  # by exercise, then by student
    for done, path in enumerate(paths, 1):
        with suppress(CourseError):
            for cell in read_submission(path, definition).cells:
                if definition.marks.get(grade_id(cell), {}).get("solution"):
                    written[grade_id(cell)][path.parent.parent.name] = cell.source
        progress(done, len(paths))
    size: Counter[str] = Counter()
    places: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for exercise, answers in written.items():
        own = _own(answers, given)
        size.update({student: int(one.token_coverage) for student, one in own.items()})
        for pair in _sharing(own):
            places[pair].append(_place(exercise, own[pair[0]], own[pair[1]]))
    pairs = [_pair(students, found, size) for students, found in places.items()]
    return sorted((pair for pair in pairs if pair.characters >= SHARED), key=lambda pair: -pair.characters)


def _fingerprint(source: str, leave: Iterable[int] = ()) -> CodeFingerprint:
    """The passages of a cell but those in `leave`."""
    left = np.array(sorted(leave), dtype=np.int64)
    return CodeFingerprint("", PASSAGE, 1, boilerplate=left, language="python", fp=io.StringIO(source))


def _passages(sources: Iterable[str]) -> set[int]:
    return {passage for source in sources for passage in _fingerprint(source).hashes}


def _own(answers: dict[str, str], given: set[int]) -> dict[str, CodeFingerprint]:
    """What each student wrote that neither the unit gives nor many write."""
    authors = Counter(passage for source in answers.values() for passage in _passages([source]))
    leave = given | {passage for passage, students in authors.items() if students > MANY}
    return {student: _fingerprint(source, leave) for student, source in answers.items()}


def _sharing(own: dict[str, CodeFingerprint]) -> list[tuple[str, str]]:
    """The pairs that share any passage at all; each passage belongs to few, so these are few."""
    owners = defaultdict(list)
    for student, one in own.items():
        for passage in one.hashes:
            owners[passage].append(student)
    return sorted({pair for some in owners.values() for pair in itertools.combinations(some, 2)})


def _place(exercise: str, one: CodeFingerprint, other: CodeFingerprint) -> Place:
    characters, _, slices = compare_files(one, other)
    first, second = (
        source.raw_code.count("\n", 0, int(found[0].min())) + 1
        for source, found in zip((one, other), slices, strict=True)
    )
    return Place(exercise, (first, second), int(characters))


def _pair(students: tuple[str, str], places: list[Place], size: Counter[str]) -> Pair:
    characters = sum(place.characters for place in places)
    return Pair(students, min(1.0, characters / min(size[student] for student in students)), characters, places)
