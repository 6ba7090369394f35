"""What `check` remembers, and how far a learner is: beside the notebooks, safe, and nowhere else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grader import progress
from grader.check import check
from grader.cli import app
from grader.course import read_notebook
from grader.lesson import read_lesson
from grader.progress import fingerprint, known
from grader.scorecard import BROKEN, OPEN, SOLVED, TRIED, as_text, next_step, rows_of, scorecard
from tests.conftest import ROOT, UNITS


@pytest.fixture(autouse=True)
def a_learner(tmp_path, monkeypatch):
    """A learner in an empty folder, in a new kernel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unwritten", {})
    monkeypatch.setattr(progress, "_said", set())
    monkeypatch.delenv("GRADER_STATIC", raising=False)


def stored():
    return json.loads(Path(".sori/progress.json").read_text(encoding="utf-8"))["exercises"]


def right():
    def rms(x):
        return x.square().mean(-1).sqrt()

    return rms


def wrong():
    def rms(x):
        return x.square().mean(-1)

    return rms


def stub():
    def rms(x):
        raise NotImplementedError

    return rms


def test_a_pass_is_kept_beside_the_notebook(capsys):
    check(right())
    assert known()["rms"] == progress.Record(
        unit="00_start", status="passed", passed=5, groups=5, solved=True, failed=(), at=stored()["rms"]["at"]
    )


def test_the_same_wrong_answer_counts_once_whatever_its_layout(capsys):
    def rms(x):
        # the same, with a comment
        return (
            x.square()
            .mean(-1)
        )  # fmt: skip

    check(wrong())
    check(wrong())
    check(rms)
    assert len(known()["rms"].failed) == 1
    assert fingerprint(rms) == fingerprint(wrong())


def test_another_wrong_answer_counts(capsys):
    def rms(x):
        return x.mean(-1)

    check(wrong())
    check(rms)
    assert len(known()["rms"].failed) == 2


def test_a_stub_and_a_call_of_a_stub_are_no_attempt(capsys):
    def helper(x):
        raise NotImplementedError

    def rms(x):
        return helper(x)

    check(stub())
    check(rms)
    assert known()["rms"].failed == ()


def test_what_was_solved_once_stays_solved(capsys):
    check(right())
    check(wrong())
    assert known()["rms"].solved
    assert known()["rms"].status == "failed"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"format": 2, "exercises": {}}',
        b'{"format": 1, "exercises": {"rms": 1}}',
        b'{"format": 1, "exercises": {"rms": {"unit": 1}}}',
    ],
)
def test_a_damaged_file_is_set_aside_whole_and_a_new_one_begun(content, capsys):
    Path(".sori").mkdir()
    for number in (1, 2):
        Path(".sori/progress.json").write_bytes(content)
        check(right())
        assert Path(f".sori/progress.damaged-{number}.json").read_bytes() == content
        assert stored()["rms"]["solved"]
    assert "was damaged" in capsys.readouterr().out


def test_where_nothing_can_be_written_it_is_said_once_and_check_works(capsys):
    Path(".sori").write_text("a file where the folder should be")
    check(wrong())
    check(right())
    said = capsys.readouterr().out
    assert said.count("Your progress is kept only until this notebook closes") == 1
    assert "all 5 groups of cases pass" in said
    assert known()["rms"].solved  # for this session
    assert len(known()["rms"].failed) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that is somebody's")
def test_a_folder_that_is_gone_stops_no_check(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    check(right())
    said = capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert "all 5 groups of cases pass" in said
    assert "could not finish" not in said


@pytest.mark.parametrize("variable", ["NBGRADER_EXECUTION", "GRADER_STATIC"])
def test_nothing_is_written_while_grading_or_for_a_static_page(variable, monkeypatch, capsys):
    monkeypatch.setenv(variable, "validate")
    check(right())
    assert list(Path.cwd().iterdir()) == []


def test_two_notebooks_that_write_at_once_lose_nothing():
    code = """
import sys
from types import SimpleNamespace as S
from grader.progress import note
for n in range(40):
    verdict = S(exercise=f"{sys.argv[1]}{n}", unit="u", status="passed", outcomes=(), groups={"basic": True})
    note(verdict, print)
"""
    both = [subprocess.Popen([sys.executable, "-c", code, name], cwd=".") for name in "ab"]
    assert [one.wait(120) for one in both] == [0, 0]
    assert stored().keys() == {f"{name}{n}" for name in "ab" for n in range(40)}
    assert {path.name for path in Path(".sori").iterdir()} <= {"progress.json", "progress.lock"}


def test_all_units_of_a_course_share_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "grader").mkdir()
    (tmp_path / "grader" / "notebook.py").touch()
    (tmp_path / "course" / "00_start").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "00_start")
    check(right())
    assert (tmp_path / ".sori" / "progress.json").is_file()


def record(status="failed", solved=False):
    return progress.Record("00_start", status, 2, 5, solved, (), "2026-01-01")


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        (None, OPEN),
        (record("missing"), OPEN),
        (record("failed"), TRIED),
        (record("error"), TRIED),
        (record("passed", solved=True), SOLVED),
        (record("missing", solved=True), SOLVED),
        (record("failed", solved=True), BROKEN),
    ],
)
def test_each_exercise_is_in_one_of_four_states(kept, state):
    rows = rows_of(read_lesson("00_start"), {"rms": kept} if kept else {})
    assert [row.state for row in rows if row.exercise.name == "rms"] == [state]


def test_the_scorecard_shows_each_exercise_and_the_next_step(capsys):
    check(wrong())
    capsys.readouterr()
    scorecard("00_start")
    lines = capsys.readouterr().out.splitlines()
    lesson = read_lesson("00_start")
    assert lines[0].endswith(f"0 of {len(lesson.exercises)} exercises solved")
    assert "not begun" in lines[1]
    assert "not yet: 1 of 5 groups of cases pass" in lines[2]
    assert lines[-1].startswith(f"Next: exercise 0.1, {lesson.exercises[0].title}: `num_samples`")


def test_after_the_last_exercise_comes_the_next_unit():
    lesson = read_lesson("00_start")
    all_solved = rows_of(lesson, {one.name: record("passed", solved=True) for one in lesson.exercises})
    assert next_step(lesson, all_solved) == f"All solved. Next: unit {read_lesson('01_embeddings').title}."
    last = read_lesson(UNITS[-1])
    everything = {one.name: record("passed", solved=True) for one in last.exercises}
    assert "the last unit" in next_step(last, rows_of(last, everything))
    assert as_text(lesson, all_solved).count("✓") == len(lesson.exercises)


def test_a_unit_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match="00_start, 01_embeddings"):
        scorecard("2_attention")


def test_the_scorecard_is_silent_while_grading(monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    scorecard("00_start")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("unit", UNITS)
def test_every_notebook_ends_with_its_own_scorecard(unit):
    last = read_notebook(ROOT / "course" / unit / f"{unit}.ipynb").cells[-1]
    assert last.source == f'scorecard("{unit}")'
    assert last.metadata["tags"] == ["demo"]


def test_grader_progress_shows_all_units_from_every_folder_below(tmp_path, monkeypatch, capsys):
    for folder, function in (("first", right()), ("second", wrong())):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        check(function)
    monkeypatch.setenv("COLUMNS", "150")
    said = CliRunner().invoke(app, ["progress", str(tmp_path)]).output
    assert sum("0 of" in line or "1 of" in line for line in said.splitlines()) == len(UNITS)
    assert "1 of 2" in said  # solved in the one folder; the other's later failure does not take it away
    assert "nothing leaves this machine" in " ".join(said.split())
