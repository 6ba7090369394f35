"""`python -m tests.hostile.as_nobody FOLDER TEST…` runs tests as the user nobody; started as root.

Folders on the way to Python or to the course that only root may pass are replaced, in a mount namespace of this
process alone, by ones that anybody may pass.
"""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from grader import confine

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


def main(folder: Path, arguments: list[str]) -> None:
    """Become nobody and run pytest."""
    open_the_way(folder)
    own_librosa(folder / "librosa", NOBODY)
    home = folder / "home"
    home.mkdir()
    for path in (folder, home):
        os.chown(path, NOBODY, NOBODY)
    become(NOBODY)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    os.execve(sys.executable, [*pytest, f"--basetemp={folder / 'pytest'}", *arguments], environment)


def open_the_way(folder: Path) -> None:
    """Let anybody reach Python, the course and `folder`, in a mount namespace that this process enters."""
    confine.unshare(confine.CLONE_NEWNS)
    confine.mount("none", Path("/"), flags=confine.MS_REC | confine.MS_PRIVATE)
    needed = sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT})
    for closed in sorted({parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}):
        if any(closed in path.parents for path in needed):
            _open(closed, [path for path in needed if closed in path.parents], folder)
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)


def own_librosa(place: Path, user: int) -> None:
    """Put a copy that belongs to `user` over librosa's folder, in this process's mount namespace, kept at `place`.

    numba keeps compiled functions beside their source for whoever may write there; anybody else compiles for half a
    minute.
    """
    installed = Path(importlib.util.find_spec("librosa").origin).parent
    if not place.exists():
        shutil.copytree(installed, place)
        for path in [place, *place.rglob("*")]:
            os.chown(path, user, user)
    confine.bind(place, installed)


def become(user: int) -> None:
    """Take on the rights of `user` and of the group of that number, for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


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
