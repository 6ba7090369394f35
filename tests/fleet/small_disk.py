"""Runs a module where gradebook/ is a small disk of its own: `python -m tests.fleet.small_disk MODULE ARGUMENTS`.

In the current folder; what gradebook/ held before is there, and what it holds in the end is copied to kept/.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from grader import confine

SIZE = 24 * 2**20


def main() -> None:
    place, before = Path("gradebook").resolve(), Path("before").resolve()
    shutil.copytree(place, before)
    if os.geteuid() == 0:
        confine.unshare(confine.CLONE_NEWNS)
    else:
        uid, gid = os.geteuid(), os.getegid()
        confine.unshare(confine.CLONE_NEWNS | confine.CLONE_NEWUSER)
        confine.map_self(uid, gid)
    confine.mount("none", Path("/"), flags=confine.MS_REC | confine.MS_PRIVATE)
    confine.mount("tmpfs", place, "tmpfs", confine.MS_NOSUID, f"size={SIZE}")
    shutil.copytree(before, place, dirs_exist_ok=True)
    status = subprocess.run([sys.executable, "-m", *sys.argv[1:]]).returncode
    shutil.copytree(place, "kept")
    sys.exit(status)


if __name__ == "__main__":
    main()
