"""The library stands in for what is not written, in demos only: never in a check, never while grading."""

import nbformat
import pytest
import torch

from grader import standin
from grader.check import check
from grader.course import grade_id, read_notebook
from grader.standin import solved
from tests.conftest import ROOT
from tests.test_notebooks import outputs, run


@pytest.fixture(autouse=True)
def a_learner(tmp_path, monkeypatch):
    """A learner in an empty folder, in a new kernel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(standin, "_said", set())


def softmax(x, dim=-1):
    """The stub as it is handed out."""
    raise NotImplementedError


SCORES = torch.tensor([1.0, 2.0, 3.0])


def test_a_stub_is_stood_in_for_and_it_is_said_in_one_line(capsys):
    either = solved(softmax)
    assert torch.allclose(either(SCORES), torch.softmax(SCORES, -1))
    assert torch.allclose(either(SCORES, dim=0), torch.softmax(SCORES, 0))
    assert capsys.readouterr().out == "softmax is not written yet: the library's stands in here.\n"


def test_the_learners_own_function_is_called_if_it_is_written(capsys):
    def softmax(x, dim=-1):
        return "mine"

    assert solved(softmax)(SCORES) == "mine"
    assert capsys.readouterr().out == ""


def test_an_error_of_the_learners_is_not_hidden():
    def softmax(x, dim=-1):
        return x.oops

    def attention_scores(q, k):
        return helper(q)

    def helper(q):
        raise NotImplementedError

    with pytest.raises(AttributeError):
        solved(softmax)(SCORES)
    with pytest.raises(NotImplementedError):
        solved(attention_scores)(SCORES, SCORES)


def test_check_sees_through_it(capsys):
    check(solved(softmax))
    assert "not written yet" in capsys.readouterr().out


def test_within_a_check_nothing_stands_in(capsys):
    either = solved(softmax)

    def attention(q, k, v, mask=None):
        weights = either(q @ k.mT / q.shape[-1] ** 0.5)
        return weights @ v, weights

    check(attention)
    said = capsys.readouterr().out
    assert "it calls something that is not written yet" in said
    assert "stands in" not in said


def test_while_grading_it_changes_nothing(monkeypatch):
    either = solved(softmax)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert solved(softmax) is softmax
    assert solved(either) is softmax


def test_one_unsolved_exercise_stops_its_own_demos_and_no_others(tmp_path):
    """All solved but the first exercise of unit 00, in a real kernel."""
    path = ROOT / "solutions" / "00_start" / "00_start.ipynb"
    notebook = read_notebook(path)
    released = read_notebook(ROOT / "course" / "00_start" / "00_start.ipynb")
    for cell, stub in zip(notebook.cells, released.cells, strict=True):
        if grade_id(cell) == "num_samples":
            cell.source = stub.source
    changed = tmp_path / "00_start.ipynb"
    changed.write_text(nbformat.writes(notebook), encoding="utf-8")
    after = run(changed, tmp_path)
    stopped = [source for source, _ in outputs(after, lambda output: output.output_type == "error")]
    first_use = next(cell.source for cell in after.cells if cell.source.startswith("num_samples = solved("))
    sources = [cell.source for cell in after.cells]
    assert stopped
    assert max(map(sources.index, stopped)) < sources.index(first_use)
    said = outputs(after, lambda output: "num_samples is not written yet: the lib" in output.get("text", ""))
    assert said
