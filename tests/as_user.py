"""`python -m tests.as_user NAME FOLDER COMMAND…` runs a command as a user whom only it knows.

It is started as root. The machine's own list of users stays as it is: the command sees another one, in a mount
namespace of its own.
"""

import os
import sys
import tempfile
from pathlib import Path

from grader import confine
from tests.hostile.as_nobody import ROOT, become, open_the_way, own_librosa

#: The users that there can be, and their numbers.
USERS = {"instructor": 64101, "student": 64102}


def main(name: str, folder: Path, command: list[str]) -> None:
    """Become the user NAME, at home in FOLDER/NAME, and run the command here."""
    mine = Path(tempfile.mkdtemp(dir=folder))
    open_the_way(mine)
    own_librosa(folder / "librosa", USERS["instructor"])
    users = mine / "passwd"
    lines = [f"{user}:x:{number}:{number}::{folder / user}:/bin/sh\n" for user, number in USERS.items()]
    users.write_text(Path("/etc/passwd").read_text() + "".join(lines))
    users.chmod(0o644)
    confine.bind(users, Path("/etc/passwd"))
    become(USERS[name])
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "GRADER_SEED")}
    environment = {**kept, "HOME": str(folder / name), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
