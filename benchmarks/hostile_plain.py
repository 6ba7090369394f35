"""What plain nbgrader does with the hostile class of tests/hostile: one run for each notebook, recorded as a table.

`python benchmarks/hostile_plain.py [NAME…] > table.md`, as root or as an ordinary user, on Linux. Plain nbgrader has no
walls of its own, so it is run inside ours: each run has processes, network and files of its own, limits on all of
them, and an end. In there lies a course with a gradebook, a solution, a seed and another student's notebook, each
holding a secret; an honest student comes after the hostile one, and another's notebook lies beside theirs.
"""

import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from grader import sandbox
from grader.course import course_root, grade_id
from grader.gradebook import hand_in
from grader.release import release
from tests.conftest import edited, is_solution, solved
from tests.hostile.notebooks import EVERYONE, LEFT_BEHIND, SECRET, Hostile

UNIT = "00_start"
SECONDS = 240
LIMITS = sandbox.Limits(memory=4 * 1024 * sandbox.MIB, processes=200, cpu_seconds=120)
#: Run inside: grade, then say what came of it. The seed is known to the process that grades, as it must be.
_INSIDE = """
import json, os, pathlib, sqlite3, subprocess, sys, tarfile
place = pathlib.Path.cwd()
tarfile.open(place / "course.tar").extractall(place, filter="data")
root = place / "course"
before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "gradebook.db" not in path.name}
run = subprocess.run(
    [sys.executable, "-m", "nbgrader", "autograde", "00_start", "--student=[mz]*", "--ExecutePreprocessor.timeout=10"],
    cwd=root, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
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
changed = [str(path.relative_to(root)) for path, was in before.items() if not path.exists() or path.read_bytes() != was]
left = [one for one in pathlib.Path("/proc").glob("[0-9]*") if LEFT in (one / "cmdline").read_bytes().decode("latin-1")]
print("FOUND " + json.dumps({
    "exit": run.returncode, "scores": scores, "read": read, "changed": changed[:3], "left": len(left),
}))
"""


def make_course(root: Path) -> None:
    """A course for plain nbgrader, with secrets in it and two honest students, of whom zoe is graded, last."""
    source = course_root()
    (root / "solutions" / UNIT).mkdir(parents=True)
    shutil.copy(source / "solutions" / UNIT / f"{UNIT}.py", root / "solutions" / UNIT)
    config = (source / "nbgrader_config.py").read_text(encoding="utf-8")
    config = config.replace("grader.autograde.Examine", "nbgrader.preprocessors.Execute")
    config = config.replace('    "grader.intake.Mend",\n', "")
    config += 'c.KernelManager.transport = "ipc"  # no loopback in there\n'
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    release(root)
    (root / "solutions" / UNIT / "notes.txt").write_text(SECRET)
    (root / "gradebook" / "seed").write_text(SECRET)
    honest = nbformat.writes(solved(root, UNIT))
    hand_in(root, UNIT, "alice", honest.replace("Set-up", SECRET, 1))
    hand_in(root, UNIT, "zoe", honest)


def notebook(root: Path, hostile: Hostile) -> str:
    """What `hostile` hands in, as a file."""
    answers = {"num_samples": hostile.num_samples, "rms": hostile.rms}
    made = edited(root, UNIT, lambda cell: answers.get(grade_id(cell)) if is_solution(cell) else None)
    for cell in made.cells:
        if grade_id(cell) == "check_num_samples" and hostile.metadata:
            cell.metadata.update(hostile.metadata)
    about = "import os\nROOT, PORT, ABSTRACT = os.path.abspath('../../../..'), 1, 'none'\n"
    made.cells.insert(2, nbformat.v4.new_code_cell(about + hostile.code))
    return json.dumps(made)


def run_inside(course: Path, hostile: Hostile) -> dict[str, Any]:
    """Grade the class of three within our walls; what the inside says, or that it said nothing."""
    with tempfile.TemporaryDirectory(prefix="sori-plain-") as name:
        place = Path(name)
        carried, sockets = place / "carried", place / "sockets"
        carried.mkdir()
        sockets.mkdir()
        mallory = course / "gradebook" / "submitted" / "mallory" / UNIT
        mallory.mkdir(parents=True, exist_ok=True)
        (mallory / f"{UNIT}.ipynb").write_text(notebook(course, hostile), encoding="utf-8")
        with tarfile.open(carried / "course.tar", "w") as tar:
            tar.add(course, "course")
        said = place / "said"
        child = os.fork()
        if child == 0:
            _guard(sandbox.View(sockets, carried, LIMITS), said)
        os.waitpid(child, 0)
        line = next((one for one in said.read_text(errors="replace").splitlines() if one.startswith("FOUND ")), "")
    return json.loads(line.removeprefix("FOUND ")) if line else {"exit": None}


def _guard(view: sandbox.View, said: Path) -> None:
    """The forked child: makes the walls, lets the inside run in them, ends it when its time is up."""
    os.setsid()
    out = os.open(said, os.O_WRONLY | os.O_CREAT, 0o600)
    sandbox.isolate()
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


def row(hostile: Hostile, found: dict[str, Any]) -> str:
    """One line of the table."""
    scores = found.get("scores", {})
    lost = [name for name in ("mallory", "zoe") if name not in scores]
    trouble = []
    if found["exit"] is None:
        trouble.append("the whole run was lost")
    elif lost:
        trouble.append(f"no grade for {', '.join(lost)}")
    if scores.get("mallory", 0) > hostile.earns[1]:
        trouble.append(f"{scores['mallory']:g} points instead of {hostile.earns[1]:g}")
    elif "mallory" in scores and scores["mallory"] < hostile.earns[0]:
        trouble.append(f"{scores['mallory']:g} points instead of {hostile.earns[0]:g}")
    if found.get("read"):
        trouble.append("a secret was read")
    if found.get("changed"):
        trouble.append(f"changed: {', '.join(found['changed'])}")
    if found.get("left"):
        trouble.append("processes left running")
    return f"| {hostile.name.replace('_', ' ')} | {'; '.join(trouble) or 'as it should be'} |"


def main(names: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="sori-plain-course-") as name:
        course = Path(name)
        make_course(course)
        print("| notebook | plain nbgrader |\n|---|---|", flush=True)
        for hostile in EVERYONE:
            if not names or hostile.name in names:
                print(row(hostile, run_inside(course, hostile)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
