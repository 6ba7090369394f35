"""What `check` remembers for its learner: a small file beside the notebooks, and nothing anywhere else.

The file is `.sori/progress.json` in the course's folder, or in the notebook's own where the course lies elsewhere.
"""

import ast
import hashlib
import inspect
import json
import os
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from grader.verdict import Verdict

NAME = "progress.json"
_FORMAT = 1
#: More different wrong attempts than this change nothing: by then everything has been offered.
_MOST_ATTEMPTS = 40
#: How long another notebook may hold the file.
_LOCK_SECONDS = 2.0

#: What could not be written, or may not be: kept as long as the kernel lives.
_unwritten: dict[str, "Record"] = {}
_said: set[str] = set()


@dataclass(frozen=True)
class Record:
    """What is known of one exercise.

    `status` and `passed` of `groups` are those of the last check, which was at `at` (UTC, ISO 8601); `solved` says
    whether it ever passed; `failed` holds a fingerprint of each different wrong attempt.
    """

    unit: str
    status: str
    passed: int
    groups: int
    solved: bool
    failed: tuple[str, ...]
    at: str


def folder() -> Path:
    """Where progress is kept for a notebook that runs here."""
    here = Path.cwd()
    above = here.parent.parent
    return (above if (above / "grader" / "notebook.py").is_file() else here) / ".sori"


def keeps() -> bool:
    """Whether progress may be written: not while a notebook is graded or a static page is made of it."""
    return not os.environ.get("NBGRADER_EXECUTION") and not os.environ.get("GRADER_STATIC")


def note(verdict: Verdict, function: Callable) -> Record:
    """Remember how a check went; what is now known of the exercise.

    A wrong answer counts once, however often it is checked; a stub that is not written, and a function that calls
    one, are no attempt. Never raises because of a file: what cannot be written is kept in memory, and said once.
    """

    def updated(before: Record | None) -> Record:
        failed = before.failed if before else ()
        if _is_attempt(verdict) and (mark := fingerprint(function)) not in failed:
            failed = (*failed, mark)[-_MOST_ATTEMPTS:]
        return Record(
            unit=verdict.unit,
            status=verdict.status,
            passed=sum(verdict.groups.values()),
            groups=len(verdict.groups),
            solved=verdict.status == "passed" or bool(before and before.solved),
            failed=failed,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )

    name = verdict.exercise
    if keeps():
        try:
            with _locked(folder()) as path:
                records = _read(path)
                records[name] = updated(together(records.get(name), _unwritten.get(name)))
                _write(path, records)
                _unwritten.pop(name, None)
                return records[name]
        except (OSError, Timeout) as error:
            why = _reason(error)
            _say(f"Your progress is kept only until this notebook closes: .sori cannot be written here ({why}).")
    _unwritten[name] = updated(known().get(name))
    return _unwritten[name]


def known() -> dict[str, Record]:
    """What is known of each exercise that was checked by a notebook here."""
    records: dict[str, Record] = {}
    if not os.environ.get("GRADER_STATIC"):
        with suppress(OSError, ValueError):
            records = _parsed((folder() / NAME).read_text(encoding="utf-8"))
    return merged(records, _unwritten)


def found_under(places: list[Path]) -> dict[str, Record]:
    """What the files in these folders, and in the folders in them, know of each exercise."""
    paths = {path.resolve() for place in places for level in ("", "*/") for path in place.glob(f"{level}.sori/{NAME}")}
    records: dict[str, Record] = {}
    for path in sorted(paths):
        with suppress(OSError, ValueError):  # damaged: the next check sets it aside
            records = merged(records, _parsed(path.read_text(encoding="utf-8")))
    return records


def merged(first: dict[str, Record], second: dict[str, Record]) -> dict[str, Record]:
    """What both know."""
    return {name: together(first.get(name), second.get(name)) for name in first | second}


def together(first: Record | None, second: Record | None) -> Record | None:
    """What two records of an exercise say: the last check's outcome, and whether either was solved."""
    if first is None or second is None:
        return first or second
    older, newer = sorted((first, second), key=lambda record: record.at)
    failed = dict.fromkeys([*older.failed, *newer.failed])
    return replace(newer, solved=older.solved or newer.solved, failed=tuple(failed)[-_MOST_ATTEMPTS:])


def fingerprint(function: Callable) -> str:
    """A mark that changes with what the function does, not with its layout or its comments."""
    try:
        text = ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        code = getattr(function, "__code__", None)
        text = repr((code.co_code, code.co_names, code.co_consts)) if code else repr(function)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_attempt(verdict: Verdict) -> bool:
    kinds = {outcome.finding.kind for outcome in verdict.outcomes if outcome.finding}
    return verdict.status not in ("passed", "missing") and "blocked" not in kinds


@contextmanager
def _locked(place: Path) -> Iterator[Path]:
    """The file's path, while no other notebook changes it. Some network folders know no locks: there without."""
    place.mkdir(exist_ok=True)
    lock = FileLock(place / "progress.lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except NotImplementedError:
        yield place / NAME
        return
    try:
        yield place / NAME
    finally:
        lock.release()


def _read(path: Path) -> dict[str, Record]:
    """The file's records. A damaged file is set aside under another name, and nothing is known."""
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        number = 1
        while (aside := path.with_name(f"progress.damaged-{number}.json")).exists():
            number += 1
        path.replace(aside)
        _say(f"The file of your progress was damaged. It is now {aside}, and a new one has begun.")
        return {}


def _parsed(text: str) -> dict[str, Record]:
    """The records in a file's text. Raises ValueError for what `_write` would not have written."""
    try:
        found = json.loads(text)
        if found["format"] != _FORMAT:
            raise ValueError("another format")
        return {str(name): _record(fields) for name, fields in found["exercises"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a file of progress ({error})") from error


def _record(fields: dict[str, Any]) -> Record:
    record = Record(**{**fields, "failed": tuple(fields["failed"])})
    kinds = {"unit": str, "status": str, "passed": int, "groups": int, "solved": bool, "at": str}
    if not all(isinstance(getattr(record, name), kind) for name, kind in kinds.items()):
        raise ValueError("a field of another kind")
    if not all(isinstance(mark, str) for mark in record.failed):
        raise ValueError("an attempt of another kind")
    return record


def _write(path: Path, records: dict[str, Record]) -> None:
    """Put a new file in the old one's place, in one step: a reader sees the one or the other, never a half."""
    content = {"format": _FORMAT, "exercises": {name: asdict(record) for name, record in sorted(records.items())}}
    fresh = path.with_name(f"progress.{os.getpid()}.new")
    try:
        fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for patience in (0.05, 0.2, None):
            try:
                fresh.replace(path)
                return
            except PermissionError:  # Windows, while somebody reads it
                if patience is None:
                    raise
                time.sleep(patience)
    finally:
        fresh.unlink(missing_ok=True)


def _reason(error: OSError | Timeout) -> str:
    if isinstance(error, Timeout):
        return "another notebook holds it"
    return error.strerror or type(error).__name__


def _say(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        print(sentence)
