"""Hides the recordings of the test from kernels that are asked about them: what is shown in their place.

Made in the grader's own process: what a kernel's process had read, it could find in its memory.
"""

import atexit
import tempfile
from functools import cache
from pathlib import Path

from grader import recordings


def covers() -> Path:
    """A folder, gone when this process ends, with an empty file for each recording that test phrases are cut from,
    under its name in `data/`, and the tables without the rows of these recordings."""
    return Path(_covers(recordings.DATA).name)


@cache
def _covers(data: Path) -> tempfile.TemporaryDirectory:
    names = {phrase.name for phrase in recordings.phrases("test")}
    files = {one.file: b"" for one in recordings.recordings() if one.name in names}
    for table in ("recordings.tsv", "segments.tsv"):
        rows = (data / table).read_bytes().splitlines(keepends=True)
        files[table] = b"".join(row for row in rows if row.partition(b"\t")[0].decode() not in names)
    folder = tempfile.TemporaryDirectory(prefix="sori-")
    atexit.register(folder.cleanup)
    for name, content in files.items():
        path = Path(folder.name) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder
