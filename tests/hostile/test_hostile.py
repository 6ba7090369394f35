"""Notebooks that mean harm: each earns what its honest code earns, reads nothing, breaks nothing, leaves nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader import sandbox
from tests.hostile.notebooks import EVERYONE, SECRET

pytestmark = pytest.mark.skipif(bool(sandbox.missing()), reason=f"no sandbox: {sandbox.missing()}")
ROOT = Path(__file__).resolve().parents[2]
#: What an ordinary user's sandbox is tried with as well, where the tests run as root.
TELLING = (
    "fork_bomb", "memory_bomb_of_many", "signals_ignored", "kills_everybody", "leaves_a_daemon", "reads_the_gradebook",
    "reads_homes", "deletes_everything", "mounts_and_leaves_its_root", "calls_a_server_on_this_machine",
    "forged_messages",
)  # fmt: skip


@pytest.mark.parametrize("hostile", EVERYONE, ids=lambda hostile: hostile.name)
def test_it_earns_what_its_honest_code_earns_and_does_no_harm(hostile, trap, left_running):
    before = trap.state()
    graded, notebook = trap.examine(hostile)
    least, most = hostile.earns
    assert least <= graded.total <= most, graded.summary()
    assert SECRET not in json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "CONNECTED" not in json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert trap.state() == before
    assert left_running() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests above ran as an ordinary user already")
def test_an_ordinary_users_sandbox_holds_as_well(tmp_path):
    """The same for the telling ones, by a user without rights, in a mount namespace where the way to Python is open."""
    test = "tests/hostile/test_hostile.py::test_it_earns_what_its_honest_code_earns_and_does_no_harm"
    command = [sys.executable, "-m", "tests.hostile.as_nobody", str(tmp_path), *[f"{test}[{name}]" for name in TELLING]]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert f"{len(TELLING)} passed" in run.stdout
