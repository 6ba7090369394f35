"""nbgrader's own commands, run as an instructor would, on a real class."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grader.course import grade_id
from grader.exercise import exercises_of
from grader.gradebook import hand_in
from tests.conftest import edited, make_course, solved

UNIT = "00_start"
WRONG = {"rms": "def rms(x):\n    return x.square().mean(-1)"}


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory) -> Path:
    """Release, three submissions, `nbgrader autograde`, `nbgrader generate_feedback`."""
    root = make_course(tmp_path_factory.mktemp("class"), [UNIT])
    right = solved(root, UNIT)
    wrong = solved(root, UNIT)
    for cell in wrong.cells:
        cell.source = WRONG.get(grade_id(cell), cell.source)
    untouched = edited(root, UNIT, lambda cell: None)
    for student, notebook in {"right": right, "wrong": wrong, "untouched": untouched}.items():
        hand_in(root, UNIT, student, nbformat.writes(notebook))
    nbgrader(root, "autograde", UNIT)
    nbgrader(root, "generate_feedback", UNIT)
    return root


def nbgrader(root: Path, *arguments: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=root,
        env={**os.environ, "PATH": path, "GRADER_SEED": "of the tests"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr


def scores(root: Path) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{root}/gradebook/gradebook.db") as gradebook:
        return {
            submission.student.id: {
                grade.name.removeprefix("check_"): grade.score for grade in submission.notebooks[0].grades
            }
            for submission in gradebook.assignment_submissions(UNIT)
        }


def test_the_gradebook_holds_the_scores(graded_class):
    assert scores(graded_class) == {
        "right": {"num_samples": 1.0, "rms": 2.0},
        "wrong": {"num_samples": 1.0, "rms": 0.0},
        "untouched": {"num_samples": 0.0, "rms": 0.0},
    }


def test_feedback_names_the_mistake_and_shows_no_hidden_test_and_no_solution(graded_class):
    pages = {
        student: (graded_class / "gradebook" / "feedback" / student / UNIT / f"{UNIT}.html").read_text(encoding="utf-8")
        for student in ("right", "wrong", "untouched")
    }
    assert "the root is missing" in pages["wrong"]
    assert "not written yet" in pages["untouched"]
    for page in pages.values():
        text = re.sub(r"<[^>]+>", "", page)
        assert "HIDDEN TESTS" not in text
        assert "examine" not in text
        assert "BEGIN SOLUTION" not in text
        assert "of the tests" not in text
    assert "x.square().mean(-1).sqrt()" not in re.sub(r"<[^>]+>", "", pages["untouched"])


def test_the_seed_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    from grader.seed import grading_seed

    first = grading_seed(tmp_path)
    assert len(first) == 32
    assert grading_seed(tmp_path) == first
    if os.name == "posix":
        assert (tmp_path / "gradebook" / "seed").stat().st_mode & 0o077 == 0


def test_stock_nbgrader_gives_the_same_scores_in_a_trusted_class(graded_class):
    """nbgrader's Execute runs the hidden line in the student's kernel; same seed, same scores."""
    config = graded_class / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    before = scores(graded_class)
    try:
        config.write_text(text.replace("grader.autograde.Examine", "nbgrader.preprocessors.Execute"), encoding="utf-8")
        nbgrader(graded_class, "autograde", UNIT, "--force")
    finally:
        config.write_text(text, encoding="utf-8")
    assert scores(graded_class) == before
    assert len(exercises_of(UNIT)) == 2
