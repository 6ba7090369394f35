"""nbgrader's exchange between two users of one machine, from the release to the feedback, graded in the sandbox."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grader import sandbox
from grader.course import grade_id
from tests.as_user import USERS
from tests.conftest import ROOT, make_course

UNIT = "00_start"
ANSWERS = {
    "num_samples": "def num_samples(seconds, sample_rate=16_000):\n    return round(seconds * sample_rate)",
    "rms": "def rms(x):\n    return x.square().mean(-1)",
}


@dataclass(frozen=True)
class Machine:
    """A machine with an instructor, a student and an exchange; `course` is open to the instructor alone."""

    folder: Path

    @property
    def course(self) -> Path:
        return self.folder / "instructor" / "course"

    @property
    def home(self) -> Path:
        return self.folder / "student"

    def instructor(self, *command: str) -> str:
        return self._run("instructor", self.course, *command)

    def student(self, *command: str) -> str:
        return self._run("student", self.home, *command, "--course", "sori")

    def _run(self, user: str, here: Path, module: str, *arguments: str) -> str:
        options = [f"--Exchange.root={self.folder / 'exchange'}"] if module == "nbgrader" else []
        there = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(here)]
        command = [*there, sys.executable, "-m", module, *arguments, *options]
        run = subprocess.run(
            [sys.executable, "-m", "tests.as_user", user, str(self.folder), *command],
            cwd=ROOT, env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, f"{user}: {module} {arguments}: {run.stdout[-2000:]}{run.stderr[-3000:]}"
        return run.stdout + run.stderr


def why_not() -> str:
    """Why this machine cannot be two users, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root can be two users"
    tried = subprocess.run(
        [sys.executable, "-c", "from grader import confine; confine.unshare(confine.CLONE_NEWNS)"],
        cwd=ROOT, capture_output=True,
    )  # fmt: skip
    return "" if tried.returncode == 0 else "this machine gives no mount namespace"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """The machine after a whole cycle. It lies outside pytest's folder, which the next run of pytest closes."""
    if why_not():
        pytest.skip(why_not())
    with tempfile.TemporaryDirectory(prefix="sori-exchange-") as folder:
        yield cycle(Machine(Path(folder)))


def cycle(machine: Machine) -> Machine:
    """Release, fetch, submit, collect, grade, feedback, fetched feedback."""
    machine.folder.chmod(0o755)
    machine.home.mkdir()
    make_course(machine.course, [UNIT])
    (machine.folder / "exchange").mkdir()
    (machine.folder / "exchange").chmod(0o777)
    for user, number in USERS.items():
        for path in [machine.folder / user, *(machine.folder / user).rglob("*")]:
            os.chown(path, number, number)
        (machine.folder / user).chmod(0o700)
    machine.instructor("nbgrader", "release_assignment", UNIT)
    machine.student("nbgrader", "fetch_assignment", UNIT)
    write(machine.home / UNIT / f"{UNIT}.ipynb", ANSWERS)
    machine.student("nbgrader", "submit", UNIT)
    machine.instructor("nbgrader", "collect", UNIT)
    machine.instructor("grader.cli", "grade", UNIT, *([] if not sandbox.missing() else ["--unsafe"]))
    machine.instructor("nbgrader", "generate_feedback", UNIT)
    machine.instructor("nbgrader", "release_feedback", UNIT)
    machine.student("nbgrader", "fetch_feedback", UNIT)
    return machine


def write(path: Path, answers: dict[str, str]) -> None:
    """Write answers into a fetched notebook, which stays its owner's."""
    assert path.stat().st_uid == USERS["student"]
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(grade_id(cell), cell.source)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")


def test_the_student_gets_the_units_notebook_and_nothing_of_the_authors(machine):
    names = {path.name for path in (machine.home / UNIT).iterdir()}
    assert f"{UNIT}.ipynb" in names
    assert not any(name.endswith(".py") for name in names)


def test_the_grade_is_in_the_gradebook_under_the_students_name(machine):
    with Gradebook(f"sqlite:///{machine.course}/gradebook/gradebook.db", "sori") as gradebook:
        submission = gradebook.find_submission(UNIT, "student")
        scores = {grade.name: grade.score for grade in submission.notebooks[0].grades}
        assert submission.timestamp is not None
    assert scores == {"check_num_samples": 1.0, "check_rms": 0.0}


def test_the_student_fetches_feedback_that_names_the_mistake(machine):
    (page,) = (machine.home / UNIT / "feedback").glob(f"*/{UNIT}.html")
    assert page.stat().st_uid == USERS["student"]
    text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    assert "the root is missing" in text
    assert "HIDDEN TESTS" not in text


def test_the_student_can_read_neither_the_course_nor_another_ones_feedback(machine):
    look = "import os, sys; sys.exit(0 if not any(os.access(path, os.R_OK) for path in sys.argv[1:]) else 1)"
    closed = [machine.course / "gradebook" / "seed", machine.course / "gradebook" / "gradebook.db"]
    closed += [machine.folder / "exchange" / "sori" / name for name in ("inbound", "feedback")]
    assert all(path.exists() for path in closed)
    command = [sys.executable, "-c", look, *map(str, closed)]
    run = subprocess.run([sys.executable, "-m", "tests.as_user", "student", str(machine.folder), *command], cwd=ROOT)
    assert run.returncode == 0
