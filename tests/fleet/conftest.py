"""Classes of light submissions, and the real processes that grade them: schedulers, workers, coordinators."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import nbformat
import psutil
import pytest
from distributed import Client
from nbgrader.api import Gradebook

from grader.course import grade_id, load_unit
from grader.gradebook import hand_in
from grader.intake import read_submission
from tests.conftest import ROOT, edited, make_course
from tests.fleet.light import ENDS_ITS_WORKER, outcome

UNIT = "00_start"
SEED = "of the fleet"
TLS = "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"
LIGHT = str(Path(__file__).with_name("light.py"))
#: Seconds that a loaded machine may need for what a quiet one does in a few.
LONG = 240.0


@pytest.fixture(scope="session")
def class_of_200(tmp_path_factory) -> Path:
    """A course with 200 light submissions, all different. To be copied."""
    root = make_course(tmp_path_factory.mktemp("fleet"), [UNIT])
    for number in range(200):
        hand_in_light(root, f"s{number:03}")
    return root


def hand_in_light(root: Path, student: str, *, more: str = "") -> None:
    hand_in(root, UNIT, student, light_notebook(root).replace("by nobody", f"by {student}\\n{more}"))


@cache
def light_notebook(root: Path) -> str:
    source = "def num_samples(seconds, sample_rate=16_000):\n    return 0  # by nobody"
    return nbformat.writes(edited(root, UNIT, lambda cell: source if grade_id(cell) == "num_samples" else None))


def hand_in_killer(root: Path, student: str) -> None:
    hand_in_light(root, student, more=ENDS_ITS_WORKER)


@pytest.fixture
def some_of(class_of_200, tmp_path) -> Callable[[int], Path]:
    """A copy of the course with the first so many of its class."""

    def copy(count: int) -> Path:
        root = tmp_path / "course"
        shutil.copytree(class_of_200, root)
        for folder in sorted((root / "gradebook" / "submitted").iterdir())[count:]:
            shutil.rmtree(folder)
        return root

    return copy


@pytest.fixture(scope="session")
def undisturbed(class_of_200) -> dict[str, dict[str, float]]:
    """What the class of 200 earns, by student and exercise, where nothing happens to any of it."""
    unit, earned = load_unit(class_of_200, UNIT), {}
    for folder in (class_of_200 / "gradebook" / "submitted").iterdir():
        notebook = nbformat.writes(read_submission(folder / UNIT / f"{UNIT}.ipynb", unit))
        found = json.loads(outcome({"notebook": notebook, "unit": unit.to_plain(), "seed": SEED}))
        earned[folder.name] = {f"check_{name}": points for name, points in found["scores"].items()}
    return earned


def first(undisturbed: dict, count: int) -> dict:
    """The same of the first so many."""
    return dict(sorted(undisturbed.items())[:count])


def verdicts(root: Path, url: str = "") -> dict[str, dict[str, float]]:
    """The gradebook's points by student and exercise. Fails where a student has not exactly one submission."""
    with Gradebook(url or f"sqlite:///{root}/gradebook/gradebook.db") as gradebook:
        found = gradebook.assignment_submissions(UNIT)
        by_student = {
            one.student.id: {grade.name: grade.auto_score for grade in one.notebooks[0].grades} for one in found
        }
        assert len(found) == len(by_student)
    return by_student


def examined(root: Path) -> list[str]:
    """Whose submissions were examined, as often as they were."""
    log = root / "examined"
    return log.read_text().split() if log.exists() else []


class Coordinator:
    """`grader grade` as a process."""

    def __init__(self, root: Path, options: tuple[str, ...], environment: dict[str, str], within: tuple = ()) -> None:
        self.root = root
        self.log = root / "log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *within, "grader.cli", "grade", UNIT, "--unsafe", *options],
                cwd=root,
                env={**settings(root), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still at work after {seconds} s:\n{self.log.read_text()[-3000:]}") from None

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes, where they are its own."""
        return workers_below(self.process.pid)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to happen while it runs."""
        until(condition, lambda: self.process.poll() is None, self.log)


def until(condition: Callable[[], bool], going: Callable[[], bool] = lambda: True, log: Path | None = None) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert going(), f"it ended:\n{log.read_text()[-3000:] if log else ''}"
        assert time.monotonic() < end, f"it did not happen:\n{log.read_text()[-3000:] if log else ''}"
        time.sleep(0.02)


def workers_below(pid: int) -> list[psutil.Process]:
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        try:
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
        except psutil.Error:
            continue
    return found


def settings(root: Path) -> dict[str, str]:
    """The environment of a test's processes: the light stand-in in every worker, quick to notice who is gone."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "GRADER_SEED": SEED,
        "LIGHT_LOG": str(root / "examined"),
        "DASK_DISTRIBUTED__WORKER__PRELOAD": repr([LIGHT]),
    }


@contextmanager
def coordinator(root: Path, *options: str, within: tuple[str, ...] = (), **environment: str) -> Iterator[Coordinator]:
    run = Coordinator(root, options, environment, within)
    try:
        yield run
    finally:
        end_all(run.process)


def end_all(process: subprocess.Popen) -> None:
    """End a process and its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Cluster:
    """A scheduler and workers that others run: each a process of its own, with a nanny that starts a worker again."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment
        self.port = free_port()
        self.scheduler: subprocess.Popen | None = None
        self.nannies: list[subprocess.Popen] = []

    @property
    def address(self) -> str:
        return f"{'tls' if TLS in self.environment else 'tcp'}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        self.scheduler = self._start("scheduler", f"--host={self.address.rpartition(':')[0]}", f"--port={self.port}")
        until(lambda: answers(self.port), lambda: self.scheduler.poll() is None, self.root / "scheduler.log")

    def ready(self) -> list[str]:
        """The addresses of the workers that the scheduler knows."""
        with Client(self.address, set_as_default=False) as client:
            return list(client.nthreads())

    def start_worker(self, address: str = "") -> subprocess.Popen:
        place = self.root / f"worker{len(self.nannies)}"
        options = ["--nthreads=1", f"--local-directory={place}"]
        self.nannies.append(self._start("worker", address or self.address, *options))
        return self.nannies[-1]

    def _start(self, kind: str, *options: str) -> subprocess.Popen:
        with (self.root / f"{kind}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard", *options],
                cwd=self.root,
                env={**settings(self.root), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
                     "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        for process in [*self.nannies, self.scheduler]:
            if process is not None:
                end_all(process)


@contextmanager
def cluster(root: Path, *, workers: int, **environment: str) -> Iterator[Cluster]:
    found = Cluster(root, environment)
    try:
        found.start_scheduler()
        for _ in range(workers):
            found.start_worker()
        yield found
    finally:
        found.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
