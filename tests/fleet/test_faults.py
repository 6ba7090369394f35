"""Whatever ends, is lost or is full: everybody gets one verdict, the one of an undisturbed run."""

import os
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from grader import sandbox
from grader.release import release
from tests import postgres
from tests.fleet.conftest import (
    LONG,
    UNIT,
    Coordinator,
    cluster,
    coordinator,
    end_all,
    examined,
    first,
    hand_in_killer,
    until,
    verdicts,
)
from tests.fleet.wire import Wire

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def journal(root: Path) -> list[Path]:
    return list((root / "gradebook" / "journal").glob(f"*/{UNIT}*.json"))


def test_workers_and_the_coordinator_are_killed_at_random_moments(some_of, undisturbed):
    """200 submissions: a worker is killed every now and then, the coordinator twice."""
    root, draw = some_of(200), random.Random(7)
    for most in (60, 130):
        with coordinator(root, "--jobs=2") as run:
            kill_workers(run, draw, at_most=most)
            run.until(lambda most=most: len(journal(root)) >= most)
            run.kill()
            until(lambda run=run: not group(run))
    kept, recorded, times = len(journal(root)), verdicts_so_far(root), len(examined(root))
    assert 130 <= kept < 200
    assert recorded >= kept - 1
    with coordinator(root, "--jobs=2") as run:
        kill_workers(run, draw, at_most=195)
        assert run.wait(LONG) == 0
    assert verdicts(root) == undisturbed
    assert journal(root) == []
    assert len(set(examined(root)[times:])) == 200 - kept  # what was kept is not examined again
    assert len(examined(root)) > 200  # what a killed worker had begun is


def kill_workers(run: Coordinator, draw: random.Random, *, at_most: int) -> None:
    """Kill two workers, each a while after so many submissions are examined."""
    for moment in sorted(draw.randrange(len(journal(run.root)), at_most) for _ in range(2)):
        run.until(lambda moment=moment: len(journal(run.root)) >= moment and run.workers())
        time.sleep(draw.random() / 3)
        with suppress(psutil.Error, IndexError):  # it ended by itself just now
            draw.choice(run.workers()).kill()


def group(run: Coordinator) -> list[int]:
    """What is left of a coordinator's session."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(one.pid) == run.process.pid and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
    return found


def verdicts_so_far(root: Path) -> int:
    return sum(all(points is not None for points in one.values()) for one in verdicts(root).values())


def test_a_worker_that_loses_the_network_is_replaced_and_its_late_answers_change_nothing(some_of, undisturbed):
    root = some_of(20)
    with cluster(root, workers=1) as there:
        wire = Wire(there.port)
        there.start_worker(f"tcp://127.0.0.1:{wire.port}")
        until(lambda: len(there.ready()) == 2)
        with coordinator(root, f"--scheduler={there.address}") as run:
            run.until(lambda: len(journal(root)) >= 4)
            wire.whole.clear()
            run.until(lambda: len(there.ready()) == 1)
            wire.whole.set()
            assert run.wait(LONG) == 0
        wire.close()
    assert verdicts(root) == first(undisturbed, 20)
    assert len(examined(root)) > 20


def test_the_scheduler_is_restarted(some_of, undisturbed):
    root = some_of(20)
    with cluster(root, workers=2) as there, coordinator(root, f"--scheduler={there.address}") as run:
        run.until(lambda: len(journal(root)) >= 4)
        end_all(there.scheduler)
        kept = len(journal(root))
        time.sleep(1)
        there.start_scheduler()
        for nanny in list(there.nannies):  # as SLURM or Kubernetes does for those that ended with it
            end_all(nanny)
            there.start_worker()
        assert run.wait(LONG) == 0
    assert kept < 18
    assert verdicts(root) == first(undisturbed, 20)


@pytest.mark.skipif(not postgres.programs(), reason="no PostgreSQL server on this machine (apt install postgresql)")
def test_the_database_is_away_for_a_while(some_of, undisturbed, monkeypatch):
    root = some_of(16)
    with postgres.server() as server:
        monkeypatch.setenv("GRADER_DB_URL", server.url)
        release(root)
        with coordinator(root, "--jobs=2") as run:
            run.until(lambda: len(recorded(root)) >= 4)
            server.stop()
            before = len(recorded(root))
            time.sleep(4)
            assert run.process.poll() is None
            assert len(recorded(root)) <= before + 1
            server.start()
            assert run.wait(LONG) == 0
        assert verdicts(root, server.url) == first(undisturbed, 16)
    assert verdicts(root) == {}  # nothing went to SQLite


def recorded(root: Path) -> list[Path]:
    return [path for path in journal(root) if "recorded" in path.name]


@pytest.mark.skipif(bool(sandbox.missing()), reason=f"no disk of its own here: {sandbox.missing()}")
def test_the_disk_is_full_for_a_while(some_of, undisturbed):
    root = some_of(16)
    with coordinator(root, "--jobs=2", within=("tests.fleet.small_disk",)) as run:
        there = Path(f"/proc/{run.process.pid}/root") / root.relative_to("/")
        run.until(lambda: len(recorded(there)) >= 3)
        ballast = there / "gradebook" / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        time.sleep(1)
        before = len(recorded(there))
        time.sleep(3)
        assert run.process.poll() is None
        assert len(recorded(there)) <= before + 1
        ballast.unlink()
        assert run.wait(LONG) == 0
    shutil.rmtree(root / "gradebook")
    (root / "kept").rename(root / "gradebook")
    assert verdicts(root) == first(undisturbed, 16)


def test_a_submission_that_ends_three_workers_is_set_aside_and_the_others_go_on(some_of, undisturbed):
    root = some_of(5)
    hand_in_killer(root, "killer")
    with coordinator(root, "--jobs=2") as run:
        assert run.wait(LONG) == 1
    assert "1 of 6 without a verdict" in run.log.read_text()
    assert verdicts(root) == first(undisturbed, 5)
    assert examined(root).count("killer") == 3
    before = len(examined(root))
    with coordinator(root, "--jobs=2") as run:
        assert run.wait(LONG) == 1
    assert set(examined(root)[before:]) == {"killer"}
