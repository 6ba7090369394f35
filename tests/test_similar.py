"""Who wrote alike: copies are found under other names, what everybody writes is not held against anybody."""

import random
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from grader import cli
from grader.course import CourseError, grade_id
from grader.gradebook import hand_in
from grader.similar import Pair, similar_pairs
from tests.conftest import author_notebook, edited, make_course

UNIT = "00_start"
OWN = '''def rms(x):
    """My own."""
    total = x.square().cumsum(-1)[..., -1:]   # an unusual way
    how_many = torch.full_like(total, x.size(-1))
    ratio = torch.true_divide(total, how_many)
    return ratio.pow(0.5).squeeze(dim=-1)
'''
COPY = """def rms(signal):
    # I wrote this myself
    s = signal.square().cumsum(-1)[..., -1:]

    n = torch.full_like(s, signal.size(-1))
    quotient = torch.true_divide(s, n)
    return quotient.pow(0.5).squeeze(dim=-1)
"""
HONEST = (
    "def rms(x):\n    return x.square().mean(-1).sqrt()\n",
    "def rms(x):\n    return torch.sqrt(torch.mean(x ** 2, dim=-1))\n",
    "def rms(x):\n    return (x * x).sum(-1).div(x.shape[-1]) ** 0.5\n",
    "def rms(x):\n    return torch.linalg.vector_norm(x, dim=-1) / math.sqrt(x.shape[-1])\n",
)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Forty honest students, two blank notebooks, two who pasted a cell of the unit's, a letter, and one copy."""
    root = make_course(tmp_path_factory.mktemp("similar"), [UNIT])
    solution = next(cell.source for cell in author_notebook(root, UNIT).cells if grade_id(cell) == "num_samples")
    draw = random.Random(3)
    for number in range(40):
        submit(root, f"honest-{number}", {"num_samples": solution, "rms": draw.choice(HONEST)})
    submit(root, "blank-1", {})
    submit(root, "blank-2", {})
    setup = next(cell.source for cell in edited(root, UNIT, lambda cell: None).cells if cell.cell_type == "code")
    submit(root, "pasted-1", {"rms": setup + "\n" + HONEST[0]})
    submit(root, "pasted-2", {"rms": setup + "\n" + HONEST[1]})
    submit(root, "own", {"num_samples": solution, "rms": OWN})
    submit(root, "copy", {"rms": COPY})
    hand_in(root, UNIT, "letter", "Dear teacher")
    return root


def submit(root: Path, student: str, answers: dict[str, str]) -> None:
    hand_in(root, UNIT, student, nbformat.writes(edited(root, UNIT, lambda cell: answers.get(grade_id(cell)))))


@pytest.fixture(scope="module")
def pairs(course) -> list[Pair]:
    return similar_pairs(course, UNIT)


def test_a_copy_under_other_names_is_found_and_nobody_else(pairs):
    assert [pair.students for pair in pairs] == [("copy", "own")]
    assert pairs[0].alike > 0.8


def test_the_pair_comes_with_a_place_to_look(pairs):
    (place,) = pairs[0].places
    assert place.exercise == "rms"
    assert all(1 <= line <= 4 for line in place.lines)


def test_the_command_lists_pairs_as_a_place_to_look(course, monkeypatch):
    monkeypatch.chdir(course)
    done = CliRunner().invoke(cli.app, ["similar", UNIT])
    assert done.exit_code == 0, done.output
    assert "copy and own" in done.output
    assert "not a verdict" in done.output
    assert "honest" not in done.output


def test_a_unit_that_nobody_handed_in_is_one_sentence(course, tmp_path):
    with pytest.raises(CourseError, match="There is no unit"):
        similar_pairs(course, "99_nothing")
