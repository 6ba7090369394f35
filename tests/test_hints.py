"""Hints that unfold: after two wrong answers the first, after four the second, then the solution; never before."""

import re
import shutil

import pytest

from grader import hints, lesson, progress
from grader.check import check
from grader.exercise import exercises_of
from grader.lesson import read_lesson
from grader.progress import Record
from tests.conftest import ROOT, UNITS


@pytest.fixture(autouse=True)
def a_learner(tmp_path, monkeypatch):
    """A learner in an empty folder, in a new kernel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unwritten", {})


def wrong(number):
    """One wrong answer of many: its source differs with the number."""
    namespace = {}
    exec(f"def rms(x):\n    return x.square().mean(-1) * {number}", namespace)
    return namespace["rms"]


def right(x):
    return x.square().mean(-1).sqrt()


right.__name__ = "rms"
RMS = next(one for one in read_lesson("00_start").exercises if one.name == "rms")


def offered(capsys, function):
    """The headings of what check offers: `Hint 1`, `Hint 2`, `The solved notebook`."""
    capsys.readouterr()
    check(function)
    return re.findall(r"^  (Hint \d|The solved notebook)(?=:.*(?:folded|ipynb))", capsys.readouterr().out, re.MULTILINE)


def test_each_two_wrong_answers_unfold_one_more(capsys):
    seen = [offered(capsys, wrong(number)) for number in range(8)]
    one, two, three = ["Hint 1"], ["Hint 1", "Hint 2"], ["Hint 1", "Hint 2", "The solved notebook"]
    assert seen == [[], one, one, two, two, three, three, three]


def test_the_same_answer_again_unfolds_nothing(capsys):
    assert [offered(capsys, wrong(7)) for _ in range(6)] == [[]] * 6


def test_a_stub_unfolds_nothing(capsys):
    def rms(x):
        raise NotImplementedError

    assert [offered(capsys, rms) for _ in range(6)] == [[]] * 6


def test_once_solved_nothing_is_offered_any_more(capsys):
    for number in range(3):
        offered(capsys, wrong(number))
    assert offered(capsys, right) == []
    assert offered(capsys, wrong(9)) == []


def record(failures, unit="00_start"):
    return Record(unit, "failed", 1, 5, False, tuple(map(str, range(failures))), "")


def test_what_is_offered_is_the_text_of_the_notebook_folded():
    text = hints.offer("rms", record(2)).as_markdown()
    assert text == f"<details><summary>{RMS.hints[0][0]}</summary>\n\n{RMS.hints[0][1]}\n\n</details>"
    assert RMS.hints[0][1] in (ROOT / "course/00_start/00_start.ipynb").read_text(encoding="utf-8")


def test_where_the_course_is_not_at_hand_nothing_is_offered():
    assert hints.offer("rms", record(6, unit="99_nowhere")) is None


@pytest.mark.parametrize("unit", UNITS)
def test_every_exercise_is_read_with_its_title_and_at_least_two_hints(unit):
    found = read_lesson(unit).exercises
    assert sorted(one.name for one in found) == sorted(one.name for one in exercises_of(unit))
    for one in found:
        assert one.title
        assert one.number.startswith(f"{int(unit[:2])}.")
        assert [title.split(":")[0] for title, _ in one.hints] == [f"Hint {n + 1}" for n in range(len(one.hints))]
        assert len(one.hints) >= 2
        assert all("<details" not in text for _, text in one.hints)


def course_at(tmp_path, address):
    """A course whose unit 00 was released with that address on GitHub."""
    course = tmp_path / "course"
    shutil.copytree(ROOT / "course" / "00_start", course / "00_start")
    notebook = course / "00_start" / "00_start.ipynb"
    notebook.write_text(re.sub(r"github/[\w.-]+/[\w.-]+/blob", f"github/{address}/blob", notebook.read_text("utf-8")))
    return course


def test_the_solved_notebook_is_where_the_badge_points(tmp_path):
    found = read_lesson("00_start", course_at(tmp_path, "someone/their-sori")).solved
    assert found == "https://github.com/someone/their-sori/blob/main/solutions/00_start/00_start.ipynb"


def test_without_an_address_it_is_the_file_in_the_course_if_there_is_one(tmp_path):
    course = course_at(tmp_path, "OWNER/sori")
    assert read_lesson("00_start", course).solved == ""
    lesson.read_lesson.cache_clear()
    there = tmp_path / "solutions" / "00_start" / "00_start.ipynb"
    there.parent.mkdir(parents=True)
    there.touch()
    assert read_lesson("00_start", course).solved == str(there)
