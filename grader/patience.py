"""Waiting for what comes back: a database that is being restarted, a disk that somebody makes room on."""

import errno
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nbgrader.apps import NbGraderAPI
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError

from grader.course import CourseError

#: Seconds that the database may be away, or the disk full, and between two tries.
PATIENCE, BETWEEN = 1800.0, 1.0
#: Bytes of room without which the disk counts as full.
_ROOM = 2**20

Found = TypeVar("Found")


def patiently(call: Callable[[], Found], say: Callable[[str], None]) -> Found:
    """What `call` returns, once the database is there and the disk has room; `say` is told what is waited for.

    Raises `CourseError` where that takes longer than half an hour.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError) as error:
            what = f"The gradebook's database does not answer ({_first_line(error.orig or error)})"
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            what = "The disk is full"
        if time.monotonic() > end:
            raise CourseError(
                f"{what}. Nothing is lost: mend that and run the same command again, it goes on from here."
            )
        say(f"{what}: waiting")
        time.sleep(BETWEEN)


def try_out(api: NbGraderAPI) -> None:
    """Raise what `patiently` waits for, where the gradebook's database is away or its disk is full."""
    with tempfile.TemporaryFile(dir=Path(api.coursedir.root) / "gradebook") as file:
        file.write(b"\0" * _ROOM)
        file.flush()
        os.fsync(file.fileno())
    with api.gradebook as gradebook:
        gradebook.db.execute(text("SELECT 1"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
