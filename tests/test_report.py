"""The report finds in a class what was put into it, and shows it safely."""

import csv
import random
import re
import shutil
from collections import Counter
from html import escape
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grader import cli
from grader.exercise import exercises_of
from grader.gradebook import hand_in
from grader.report import Result, UnitReport, read_reports
from grader.report_page import write_page
from grader.spreadsheet import harmless, write_csv
from tests.conftest import ROOT, author_notebook, is_solution, make_course
from tests.synthetic import NOT_WRITTEN, RIGHT, Answers, change, enrol

UNIT = "02_attention"
CLASS = 500
NASTY = "<script>alert(1)</script>"
#: What share of the class gives which answer; the others are right.
RATES = {
    "attention_scores": {"unscaled_scores": 0.30, "divided_by_d": 0.10, NOT_WRITTEN: 0.04},
    "softmax": {"no_maximum": 0.20, "always_last_dimension": 0.05},
    "causal_mask": {"upper_triangle": 0.15, "diagonal_left_out": 0.02},
    "padding_mask": {"nasty": 1.0},
    "split_heads": {"viewed_only": 0.40},
    "attention_multiplications": {},
}
SLOW = {"student-007": 61.5, "student-123": 48.0, "=cmd|' C calc'!A0": 300.0}


def nasty(lengths, T):  # noqa: N803
    raise RuntimeError(NASTY)


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, str]]:
    """Each student's answers, drawn at the rates."""
    draw = random.Random(7)
    students = [*(f"student-{number:03}" for number in range(CLASS - 1)), "=cmd|' C calc'!A0"]
    given = {}
    for student in students:
        given[student] = {
            name: draw.choices([*wrong, RIGHT], [*wrong.values(), 1 - sum(wrong.values())])[0]
            for name, wrong in RATES.items()
        }
    return given


@pytest.fixture(scope="module")
def course(tmp_path_factory, drawn) -> Path:
    """A course with a class of 500, one of whom handed in no notebook, and one who was not graded."""
    root = make_course(tmp_path_factory.mktemp("class"), [UNIT])
    enrol(root, Answers(root, UNIT, {"nasty": nasty}), drawn, SLOW)
    hand_in(root, UNIT, "not-graded", "{}")
    return root


@pytest.fixture(scope="module")
def report(course) -> UnitReport:
    return read_reports(course, [UNIT])[0]


@pytest.fixture(scope="module")
def written(course) -> Path:
    """The folder that `grader report` writes."""
    out = course / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course)
        done = CliRunner().invoke(cli.app, ["report", UNIT, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_recovers_every_mistake_and_its_rate(report, drawn):
    for exercise in report.exercises:
        truth = Counter(given.get(exercise.name, RIGHT) for given in drawn.values())
        wrong = {name: number for name, number in truth.items() if name not in (RIGHT, NOT_WRITTEN)}
        if exercise.name == "padding_mask":
            wrong = {"raises an error": CLASS}
        assert {mistake.name: mistake.students for mistake in exercise.mistakes} == wrong
        assert exercise.statuses["missing"] == truth[NOT_WRITTEN]
        assert exercise.statuses["passed"] == truth[RIGHT]
        for mistake in exercise.mistakes:
            rate = RATES[exercise.name].get(mistake.name, 1.0)
            assert mistake.share == mistake.students / CLASS
            assert abs(mistake.share - rate) <= 4 * (rate * (1 - rate) / CLASS) ** 0.5


def test_the_most_common_mistake_comes_first_and_in_its_own_words(report):
    first, second, third = report.mistakes[:3]
    assert (first.exercise, first.name, first.named) == ("padding_mask", "raises an error", False)
    assert (second.exercise, second.name, second.named) == ("split_heads", "viewed_only", True)
    assert third.says == "The scores grow with the size of the vectors: the division by √d is missing."


def test_what_nobody_and_what_everybody_passes_is_named(report):
    assert report.nobody == ["padding_mask"]
    assert set(report.everybody) == {"attention", "merge_heads", "multi_head_attention", "attention_multiplications"}


def test_points_are_those_that_count(report, drawn):
    scores = next(one for one in report.exercises if one.name == "split_heads").scores
    viewed = sum(given["split_heads"] == "viewed_only" for given in drawn.values())
    assert Counter(scores) == {0.0: viewed, 2.0: CLASS - viewed}
    assert [result.score for result in report.graded] == [
        pytest.approx(sum(result.scores.values())) for result in report.graded
    ]


@pytest.fixture(scope="module")
def little(tmp_path_factory) -> dict[str, Result]:
    """The report of a small class: one early, one late, one who wrote nothing, one who handed in a letter."""
    root = make_course(tmp_path_factory.mktemp("little"), ["00_start"])
    nothing = {"num_samples": NOT_WRITTEN, "rms": NOT_WRITTEN}
    enrol(root, Answers(root, "00_start"), {"early": {}, "late": {}, "blank": nothing, "letter": nothing}, {})
    hand_in(root, "00_start", "letter", "Dear teacher")

    def penalise(gradebook):
        gradebook.find_submission("00_start", "late").notebooks[0].late_submission_penalty = 0.5

    change(root, penalise)
    return {one.student: one for one in read_reports(root)[0].results}


def test_a_late_submission_earns_less(little):
    assert little["early"].score == 3.0
    assert little["late"].score == 2.5


def test_a_file_that_is_no_notebook_is_not_one_in_which_nothing_was_written(little):
    assert little["blank"].trouble == ""
    assert little["letter"].trouble.startswith("00_start.ipynb is not a Jupyter notebook")


def test_the_slowest_and_those_without_a_verdict_are_listed(report):
    assert [(one.student, one.seconds) for one in report.slowest[:3]] == sorted(SLOW.items(), key=lambda one: -one[1])
    (failed,) = report.failed
    assert failed.student == "not-graded"
    assert "has no verdict" in failed.trouble
    assert len(report.graded) == CLASS


def test_the_page_escapes_what_students_wrote(written):
    page = (written / "index.html").read_text(encoding="utf-8")
    assert NASTY not in page
    assert "&lt;script&gt;alert(1)" in page


def test_neither_solutions_nor_hidden_cases_are_on_the_page(written, course):
    page = (written / "index.html").read_text(encoding="utf-8")
    hidden = [case for one in exercises_of(UNIT) for case in one.cases if not case.practice]
    assert hidden
    assert not [case.name for case in hidden if case.name in page or escape(case.label) in page]
    solutions = [cell.source for cell in author_notebook(course, UNIT).cells if is_solution(cell)]
    lines = {line.strip() for source in solutions for line in source.splitlines()}
    assert not [line for line in lines if len(line) > 20 and escape(line) in page]


def test_the_page_needs_nothing_else_and_runs_nothing(written):
    page = (written / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|iframe|object)\b", page)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert all(re.search(r'alt="[^"]+"', image) for image in re.findall(r"<img[^>]*>", page))
    assert "@media print" in page
    assert 'name="viewport"' in page


def test_students_are_named_only_where_someone_must_look(written):
    page = (written / "index.html").read_text(encoding="utf-8")
    before, look = page.split("To look at</h3>")
    assert "student-" not in before
    assert "student-007" in look
    assert "student-008" not in look
    for table in ("exercises.csv", "mistakes.csv", "scores.csv"):
        assert "student-" not in (written / table).read_text(encoding="utf-8")


def test_the_tables_say_what_the_page_says(written, report):
    mistakes = {(row["exercise"], row["mistake"]): int(row["students"]) for row in rows(written / "mistakes.csv")}
    assert mistakes == {(one.exercise, one.name): one.students for one in report.mistakes}
    rates = {row["exercise"]: float(row["pass_rate"]) for row in rows(written / "exercises.csv")}
    assert rates == {one.name: round(one.pass_rate, 4) for one in report.exercises}
    for row in rows(written / "exercises.csv"):
        points = [one for one in rows(written / "scores.csv") if one["exercise"] == row["exercise"]]
        assert sum(int(one["submissions"]) for one in points) == int(row["submissions"]) == CLASS


def test_no_cell_is_a_formula(written):
    students = [row["student"] for row in rows(written / "submissions.csv")]
    assert students[1] == "'=cmd|' C calc'!A0"
    for table in written.glob("*.csv"):
        with table.open(encoding="utf-8", newline="") as file:
            assert not any(cell.lstrip().startswith(tuple("=+-@")) for row in csv.reader(file) for cell in row)


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1"])
def test_text_that_a_spreadsheet_would_run_is_made_harmless(start, tmp_path):
    path = write_csv(tmp_path / "x.csv", ["a"], [[start], [-1.5], ["plain"]])
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a"], [f"'{start}"], ["-1.5"], ["plain"]]
    assert harmless(-1.5) == -1.5


def test_a_class_of_nobody_is_one_clear_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "solutions" / "00_start").mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / "00_start" / "00_start.py", tmp_path / "solutions" / "00_start")
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["grader", "report"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "nobody has handed in anything yet" in " ".join(capsys.readouterr().err.split())


def test_a_unit_with_nothing_graded_still_makes_a_page(tmp_path):
    trouble = Result("ada", 0.0, {}, {}, None, f"cannot be read {NASTY}")
    page = write_page([UnitReport("00_start", 3.0, {"rms": 2.0}, [trouble])], tmp_path / "index.html")
    text = page.read_text(encoding="utf-8")
    assert "0 graded" in text
    assert NASTY not in text
