"""`python -m tests.hostile.as_nobody FOLDER TEST…` runs tests as the user nobody; started as root.

Folders on the way to Python or to the course that only root may pass are replaced, in a mount namespace of this
process alone, by ones that anybody may pass.
"""

import os
import sys
from pathlib import Path

from grader import confine

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


def main(folder: Path, arguments: list[str]) -> None:
    """Become nobody and run pytest."""
    confine.unshare(confine.CLONE_NEWNS)
    confine.mount("none", Path("/"), flags=confine.MS_REC | confine.MS_PRIVATE)
    needed = sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT})
    for closed in sorted({parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}):
        if any(closed in path.parents for path in needed):
            _open(closed, [path for path in needed if closed in path.parents], folder)
    home = folder / "home"
    home.mkdir()
    for path in (folder, home):
        os.chown(path, NOBODY, NOBODY)
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    os.execve(sys.executable, [*pytest, f"--basetemp={folder / 'pytest'}", *arguments], environment)


def _open(closed: Path, needed: list[Path], folder: Path) -> None:
    kept = []
    for index, path in enumerate(needed):
        aside = folder / f"kept-{index}"
        aside.mkdir()
        confine.bind(path, aside)
        kept.append((aside, path))
    confine.mount("none", closed, "tmpfs", options="mode=755")
    for aside, path in kept:
        path.mkdir(parents=True, exist_ok=True)
        confine.bind(aside, path)


if __name__ == "__main__":
    os.chdir(ROOT)
    main(Path(sys.argv[1]), sys.argv[2:])
