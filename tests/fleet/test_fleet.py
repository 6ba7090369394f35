"""Grading by many workers: the same verdicts as here, nothing shared, nothing told to students' kernels."""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
from distributed import Client
from distributed.security import Security
from filelock import FileLock

from grader import fleet, kernels, sandbox
from grader.course import CourseError, grade_id, load_unit
from grader.examiner import examine_notebook
from grader.fleet import in_this_process, local_cluster, remote_cluster
from grader.gradebook import hand_in
from grader.grading import Settings, grade_class, handed_in
from grader.journal import Journal
from grader.work import Work, examine, fingerprint
from tests.conftest import edited, make_course, solved
from tests.fleet.conftest import LONG, SEED, UNIT, cluster, coordinator, first, verdicts
from tests.fleet.light import outcome

WRONG = {"rms": "def rms(x):\n    return x.square().mean(-1)"}
LOOKS = "import os, time; print(open('notes.txt').read(), dict(os.environ)); time.sleep(2)"
NO_LIGHT = {"DASK_DISTRIBUTED__WORKER__PRELOAD": "[]"}


@pytest.fixture
def small_class(tmp_path):
    """Four who wrote an answer, one of whom has a file beside the notebook and prints it and the environment."""
    root = make_course(tmp_path / "course", [UNIT])
    right = solved(root, UNIT)
    looks = nbformat.from_dict(right)
    looks.cells.append(nbformat.v4.new_code_cell(LOOKS))
    for student, notebook in {
        "right": right,
        "looks": looks,
        "wrong": edited(root, UNIT, lambda cell: WRONG.get(grade_id(cell))),
        "untouched": edited(root, UNIT, lambda cell: None),
    }.items():
        hand_in(root, UNIT, student, nbformat.writes(notebook))
    (root / "gradebook" / "submitted" / "looks" / UNIT / "notes.txt").write_text("found beside it")
    return root


def test_workers_come_to_the_verdicts_that_this_process_comes_to(small_class, tmp_path, monkeypatch):
    """Real kernels, and a look into the processes that they are forked from: the seed is not in there."""
    monkeypatch.setenv("GRADER_SEED", SEED)
    other = tmp_path / "other"
    shutil.copytree(small_class, other)
    here = grade_class(other, handed_in(other, [UNIT], []), Settings(unsafe=True))
    with coordinator(small_class, "--jobs=2", **NO_LIGHT) as run:
        looked = set()
        while run.process.poll() is None and len(looked) < 2:
            with suppress(psutil.Error, OSError):
                for one in psutil.Process(run.process.pid).children(recursive=True):
                    if "grader.nursery" in one.cmdline() and one.pid not in looked and is_warm(one):
                        looked.add(one.pid)
                        assert not holds(one.pid, SEED)
            time.sleep(0.2)
        assert holds(os.getpid(), SEED)  # such a look finds it where it is
        assert run.wait(LONG) == 0
    assert looked or sandbox.missing()
    assert verdicts(small_class) == verdicts(other)
    assert {one.student: one.score for one in here} == {"looks": 3, "right": 3, "untouched": 0, "wrong": 0}
    printed = (small_class / "gradebook" / "autograded" / "looks" / UNIT / f"{UNIT}.ipynb").read_text()
    assert "found beside it" in printed
    assert SEED not in printed


def is_warm(nursery: psutil.Process) -> bool:
    """Whether kernels were forked from it, so that work reached its worker."""
    return bool(nursery.children())


def holds(pid: int, secret: str) -> bool:
    """Whether a process's environment or memory holds a text."""
    if secret.encode() in Path(f"/proc/{pid}/environ").read_bytes():
        return True
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            start, end = (int(one, 16) for one in span.split("-"))
            with suppress(OSError, OverflowError):
                memory.seek(start)
                if secret.encode() in memory.read(end - start):
                    return True
    return False


def test_a_cluster_that_others_run_is_reached_by_tls_alone(some_of, undisturbed, tmp_path):
    """Dask's own configuration names the certificates; without them nobody gets in."""
    root, temporary = some_of(4), Security.temporary()
    tls = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    for name, content in {"ca-file": temporary.tls_ca_file, "cert": temporary.tls_client_cert,
                          "key": temporary.tls_client_key}.items():  # fmt: skip
        path = tmp_path / f"{name}.pem"
        path.write_text(content)
        roles = [""] if name == "ca-file" else ["SCHEDULER__", "WORKER__", "CLIENT__"]
        for role in roles:
            tls[f"DASK_DISTRIBUTED__COMM__TLS__{role}{name.upper().replace('-', '_')}"] = str(path)
    with cluster(root, workers=1, **tls) as there:
        with pytest.raises(CourseError, match="No scheduler answers"):
            remote_cluster(there.address, print)
        with coordinator(root, f"--scheduler={there.address}", **tls) as run:
            assert run.wait(LONG) == 0
    assert verdicts(root) == first(undisturbed, 4)


def test_a_worker_without_this_package_ends_the_run_with_a_sentence(some_of, tmp_path):
    root = some_of(2)
    absent = tmp_path / "absent.py"
    absent.write_text("import sys\nsys.modules['grader.work'] = None\n")
    with coordinator(root, "--jobs=2", DASK_DISTRIBUTED__WORKER__PRELOAD=repr([str(absent)])) as run:
        assert run.wait(LONG) == 2
    said = " ".join(run.log.read_text().split())
    assert "Install this project, the same commit, on every worker" in said
    assert "Traceback" not in said


def test_nobody_else_gets_into_the_cluster_on_this_machine():
    with local_cluster(1) as connect, connect() as client:
        address = client.scheduler.address
        here = psutil.Process()
        open_to = [one.net_connections(kind="tcp") for one in (here, *here.children(recursive=True))]
        listening = {one.laddr.ip for found in open_to for one in found if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        with pytest.raises((OSError, ValueError, RuntimeError, TypeError)):
            Client(address.replace("tls://", "tcp://"), timeout="3s", set_as_default=False)
        stranger = Security.temporary()
        with pytest.raises(OSError):
            Client(address, timeout="3s", security=stranger, set_as_default=False)


def test_where_no_scheduler_answers_a_sentence_says_so(some_of):
    with pytest.raises(CourseError, match=r"No scheduler answers at tcp://127\.0\.0\.1:9 "):
        grade_class(some_of(1), [(UNIT, "s000")], Settings(scheduler="tcp://127.0.0.1:9"))


@pytest.fixture
def work(scratch_course):
    """A solved notebook as work."""
    return Work(
        notebook=nbformat.writes(solved(scratch_course, UNIT)),
        files={},
        unit=load_unit(scratch_course, UNIT).to_plain(),
        seed=SEED,
        unsafe=True,
        cell_seconds=60.0,
        notebook_seconds=900.0,
        grader=fingerprint(),
    )


def test_a_worker_with_another_grader_refuses(work):
    other = replace(work, grader="another")
    with pytest.raises(CourseError, match=r"has the fingerprint .* has another. Install the same commit"):
        list(in_this_process([("", other)]))


def test_a_worker_that_has_no_sandbox_refuses_what_must_be_confined(work, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda: "for the test")
    with pytest.raises(CourseError, match="cannot confine"):
        examine(replace(work, unsafe=False).to_json())


@pytest.mark.parametrize("change", [{"seed": "other"}, {"notebook": "{}"}, {"grader": "b"}, {"cell_seconds": 1.0}])
def test_work_that_differs_has_another_key(work, change):
    assert Work.from_json(work.to_json()).key == work.key
    assert replace(work, **change).key != work.key


def test_a_unit_arrives_as_it_left(scratch_course):
    unit = load_unit(scratch_course, UNIT)
    assert type(unit).from_plain(json.loads(json.dumps(unit.to_plain()))) == unit


@pytest.mark.skipif(bool(sandbox.missing()), reason=f"no sandbox: {sandbox.missing()}")
def test_a_warm_process_that_has_ended_is_replaced(scratch_course):
    """Whatever ended it: a worker without one would fail everything that comes after."""
    unit = load_unit(scratch_course, UNIT)
    examine_notebook(solved(scratch_course, UNIT), unit, SEED)
    before = kernels._warm_process().process
    before.kill()
    before.wait()
    assert examine_notebook(solved(scratch_course, UNIT), unit, SEED).total == unit.max_score


def test_a_second_run_at_the_same_gradebook_is_refused(some_of):
    root = some_of(1)
    with (
        FileLock(root / "gradebook" / "grading.lock"),
        pytest.raises(CourseError, match="Another `grader grade` is at work"),
    ):
        grade_class(root, [(UNIT, "s000")], Settings(unsafe=True))


def test_what_the_gradebook_does_not_take_has_no_verdict(some_of, monkeypatch):
    """Here the unit was never released, so nbgrader knows no such assignment."""
    root = some_of(1)
    (root / "gradebook" / "gradebook.db").unlink()
    monkeypatch.setattr(fleet, "examine", lambda text: outcome(json.loads(text)))
    (found,) = grade_class(root, [(UNIT, "s000")], Settings(unsafe=True))
    assert not found.has_verdict
    assert found.trouble
    assert (root / "gradebook" / "journal" / "s000" / f"{UNIT}.json").exists()  # it need not be examined again


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


def test_the_journal_gives_back_what_it_kept_for_the_same_work_only(journal):
    journal.keep("u", "s", "key", "outcome")
    assert journal.outcome("u", "s", "key") == "outcome"
    assert journal.outcome("u", "s", "other key") is None
    assert journal.outcome("u", "other", "key") is None
    assert not journal.recorded("u", "s")
    journal.mark_recorded("u", "s")
    assert journal.recorded("u", "s")
    assert journal.outcome("u", "s", "key") == "outcome"
    journal.keep("u", "s", "new key", "new outcome")
    assert not journal.recorded("u", "s")
    assert journal.outcome("u", "s", "new key") == "new outcome"
    journal.forget("u", "s")
    assert not journal.folder.exists()


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"key": "key"}', "null"])
def test_an_entry_that_cannot_be_read_counts_as_none(journal, damaged):
    journal.keep("u", "s", "key", "outcome")
    (journal.folder / "s" / "u.json").write_text(damaged)
    assert journal.outcome("u", "s", "key") is None
