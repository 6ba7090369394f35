"""What plain nbgrader does with the hostile class and the broken files of tests/hostile, one run each, as a table.

`python benchmarks/hostile_plain.py [NAME…] > table.md`, as root or as an ordinary user, on Linux. Plain nbgrader has no
walls of its own, so it is run inside ours: each run has processes, network and files of its own, limits on all of
them, and an end. In there lies a course with a gradebook, a solution, a seed and another student's notebook, each
holding a secret; an honest student comes after the hostile one, and another's notebook lies beside theirs.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grader import sandbox
from grader.course import course_root, grade_id
from grader.gradebook import hand_in
from grader.release import release
from tests.conftest import edited, is_solution, solved
from tests.hostile.notebooks import EVERYONE, LEFT_BEHIND, SECRET, Hostile
from tests.hostile.test_broken_files import FULL, GRADED, ZERO

UNIT = "00_start"
SECONDS = 150
LIMITS = sandbox.Limits(
    memory=4 * 1024 * sandbox.MIB, disk=1024 * sandbox.MIB, file_size=512 * sandbox.MIB, processes=200, cpu_seconds=120
)
#: To the kernel of Linux (netdevice(7)): SIOCSIFFLAGS; IFF_UP and IFF_RUNNING.
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40
#: Run inside: grade, then say what came of it. The seed is known to the process that grades, as it must be.
_INSIDE = """
import json, os, pathlib, sqlite3, subprocess, sys, tarfile
place = pathlib.Path.cwd()
tarfile.open(place / "course.tar.gz").extractall(place, filter="fully_trusted")
root = place / "course"
before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "gradebook.db" not in path.name}
run = subprocess.run(
    [sys.executable, "-m", "nbgrader", "autograde", "00_start", "--student=[mz]*", "--ExecutePreprocessor.timeout=20"],
    cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdin=subprocess.DEVNULL,
    capture_output=True, text=True, errors="replace",
)
scores = {}
try:
    with sqlite3.connect(root / "gradebook/gradebook.db") as base:
        rows = base.execute(
            "select student.id, sum(coalesce(grade.manual_score, grade.auto_score, 0)) from grade"
            " join submitted_notebook on grade.notebook_id = submitted_notebook.id"
            " join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id"
            " join student on submitted_assignment.student_id = student.id group by student.id"
        )
        scores = dict(rows.fetchall())
except sqlite3.Error as error:
    scores = {"error": str(error)}
read = any(
    SECRET.encode() in path.read_bytes()
    for path in (root / "gradebook/autograded/mallory").rglob("*.ipynb") if path.is_file()
)
autograded = root / "gradebook/autograded"
graded = [name for name in ("mallory", "zoe") if (autograded / name / "00_start/00_start.ipynb").exists()]
changed = [str(path.relative_to(root)) for path, was in before.items() if not path.exists() or path.read_bytes() != was]
others = [one for one in pathlib.Path("/proc").glob("[0-9]*") if one.name != str(os.getpid())]
left = [one for one in others if LEFT in (one / "cmdline").read_bytes().decode("latin-1")]
print("FOUND " + json.dumps({
    "exit": run.returncode, "graded": graded, "scores": scores, "read": read, "changed": changed[:3], "left": len(left),
}))
"""


def make_course(root: Path) -> None:
    """A course for plain nbgrader, with secrets in it and two honest students, of whom zoe is graded, last."""
    source = course_root()
    (root / "solutions" / UNIT).mkdir(parents=True)
    shutil.copy(source / "solutions" / UNIT / f"{UNIT}.py", root / "solutions" / UNIT)
    shutil.copytree(source / "grader", root / "grader", ignore=shutil.ignore_patterns("__pycache__"))  # with the tests
    config = (source / "nbgrader_config.py").read_text(encoding="utf-8")
    config = config.replace("grader.autograde.Examine", "nbgrader.preprocessors.Execute")
    config = config.replace('    "grader.intake.Mend",\n', "")
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    release(root)
    (root / "solutions" / UNIT / "notes.txt").write_text(SECRET)
    (root / "gradebook" / "seed").write_text(SECRET)
    honest = nbformat.writes(solved(root, UNIT))
    hand_in(root, UNIT, "alice", honest.replace("Set-up", SECRET, 1))
    honest = nbformat.writes(short(solved(root, UNIT)))
    hand_in(root, UNIT, "right", honest)  # whom one of the broken files is a link to
    hand_in(root, UNIT, "zoe", honest)


def short(made: NotebookNode) -> NotebookNode:
    """Without the unit's demo cells, which cost nothing but time here."""
    made.cells = [cell for cell in made.cells if "demo" not in cell.metadata.get("tags", [])]
    return made


def notebook(root: Path, hostile: Hostile) -> str:
    """What `hostile` hands in, as a file."""
    answers = {"num_samples": hostile.num_samples, "rms": hostile.rms}
    made = short(edited(root, UNIT, lambda cell: answers.get(grade_id(cell)) if is_solution(cell) else None))
    for cell in made.cells:
        if grade_id(cell) == "check_num_samples" and hostile.metadata:
            cell.metadata.update(hostile.metadata)
    about = "import os\nROOT, PORT, ABSTRACT = os.path.abspath('../../../..'), 1, 'none'\n"
    made.cells.insert(2, nbformat.v4.new_code_cell(about + hostile.code))
    return json.dumps(made)


@dataclass(frozen=True)
class Case:
    """What mallory hands in, and the fewest and most points that it may earn."""

    name: str
    earns: tuple[float, float]
    write: Callable[[Path], object]


def cases(root: Path) -> list[Case]:
    """The hostile notebooks, then the broken files."""
    honest = nbformat.writes(short(solved(root, UNIT)))

    def broken(damage: Callable[[Path], None], path: Path) -> None:
        path.write_text(honest, encoding="utf-8")
        damage(path)

    hostile = [
        Case(one.name, one.earns, lambda path, one=one: path.write_text(notebook(root, one), encoding="utf-8"))
        for one in EVERYONE
    ]
    return hostile + [
        Case(one.__name__, (0.0, 0.0) if one in ZERO else (FULL, FULL), partial(broken, one)) for one in ZERO + GRADED
    ]


def run_inside(course: Path, case: Case) -> dict[str, Any]:
    """Grade mallory and zoe within our walls; what the inside says, or that it said nothing."""
    with tempfile.TemporaryDirectory(prefix="sori-plain-") as name:
        place = Path(name)
        carried, sockets = place / "carried", place / "sockets"
        carried.mkdir()
        sockets.mkdir()
        mallory = course / "gradebook" / "submitted" / "mallory" / UNIT
        shutil.rmtree(mallory, ignore_errors=True)
        mallory.mkdir(parents=True)
        case.write(mallory / f"{UNIT}.ipynb")
        with tarfile.open(carried / "course.tar.gz", "w:gz") as tar:
            tar.add(course, "course")
        said = place / "said"
        child = os.fork()
        if child == 0:
            _guard(sandbox.View(sockets, carried, LIMITS), said)
        os.waitpid(child, 0)
        line = next((one for one in said.read_text(errors="replace").splitlines() if one.startswith("FOUND ")), "")
    return json.loads(line.removeprefix("FOUND ")) if line else {"exit": None}


def _raise_loopback() -> None:
    """Plain nbgrader talks to its kernels by TCP: give this network namespace, which has nothing else, a loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


def _guard(view: sandbox.View, said: Path) -> None:
    """The forked child: makes the walls, lets the inside run in them, ends it when its time is up."""
    os.setsid()
    out = os.open(said, os.O_WRONLY | os.O_CREAT, 0o600)
    sandbox.isolate()
    _raise_loopback()
    inside = os.fork()
    if inside == 0:
        os.dup2(out, 1)
        os.dup2(out, 2)
        sandbox.enter(view, 1_450_000_000)
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        environment = {"PATH": path, "HOME": str(sandbox.SCRATCH), "GRADER_SEED": SECRET, "OMP_NUM_THREADS": "1"}
        code = f"SECRET, LEFT = {SECRET!r}, {LEFT_BEHIND!r}\n{_INSIDE}"
        os.execve(sys.executable, [sys.executable, "-c", code], environment)  # noqa: S606
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and os.waitpid(inside, os.WNOHANG) == (0, 0):
        time.sleep(0.2)
    try:
        os.kill(inside, signal.SIGKILL)
        os.waitpid(inside, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    os._exit(0)


def row(case: Case, found: dict[str, Any]) -> str:
    """One line of the table."""
    scores = found.get("scores", {})
    graded = found.get("graded", ())
    trouble = []
    if found["exit"] is None:
        trouble.append("the whole run was lost")
    elif "mallory" not in graded:
        trouble.append("no grade")
    elif scores.get("mallory", 0) > case.earns[1] or scores.get("mallory", 0) < case.earns[0]:
        trouble.append(f"{scores.get('mallory', 0):g} points instead of {case.earns[0]:g}")
    if found["exit"] is not None and "zoe" not in graded:
        trouble.append("the next student gets no grade")
    if found.get("read"):
        trouble.append("a secret was read")
    if found.get("changed"):
        trouble.append(f"changed: {', '.join(found['changed'])}")
    if found.get("left"):
        trouble.append("processes left running")
    return f"| {case.name.replace('_', ' ')} | {'; '.join(trouble) or 'as it should be'} |"


def main(names: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="sori-plain-course-") as name:
        course = Path(name)
        make_course(course)
        print("| notebook | plain nbgrader |\n|---|---|", flush=True)
        for case in cases(course):
            if not names or case.name in names:
                print(row(case, run_inside(course, case)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
