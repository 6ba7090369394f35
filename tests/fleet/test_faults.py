"""Whatever ends, is lost or is full: everybody gets one verdict, the one of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from grader.gradebook import nbgrader_api
from tests import postgres
from tests.conftest import ROOT
from tests.fleet.conftest import (
    LONG,
    UNIT,
    Coordinator,
    cluster,
    coordinator,
    examined,
    hand_in_killer,
    settings,
    until,
    verdicts,
    workers_below,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def journal(root: Path) -> list[Path]:
    return list((root / "gradebook" / "journal").glob(f"*/{UNIT}*.json"))


def test_workers_and_the_coordinator_are_killed_at_random_moments(some_of, undisturbed):
    """200 submissions: a worker is killed every now and then, the coordinator twice."""
    root, draw = some_of(200), random.Random(7)
    killed = 0
    for most in (50, 120, 10_000):
        with coordinator(root, "--jobs=2") as run:
            moments = sorted(draw.randrange(len(journal(root)), min(most, 190)) for _ in range(3))
            for moment in moments:
                run.until(lambda moment=moment: len(journal(root)) >= moment and run.workers())
                time.sleep(draw.random() / 5)
                with suppress(psutil.Error):
                    draw.choice(run.workers()).kill()
                    killed += 1
            if most < 200:
                run.until(lambda most=most: len(journal(root)) >= most)
                run.kill()
                kept = len(journal(root))
                until(lambda run=run: not group(run))
                assert verdicts_so_far(root) >= kept - 1
                examinations = len(examined(root))
            else:
                assert run.wait(LONG) == 0
    assert killed == 9
    assert verdicts(root) == undisturbed
    assert journal(root) == []
    again = Counter(examined(root)[examinations:])
    assert len(again) == 200 - kept


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
