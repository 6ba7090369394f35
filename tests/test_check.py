"""`check` in a notebook: an answer at once, whatever the function does, and never a traceback of ours."""

import json
import subprocess
import sys
import time

import pytest
import torch

from grader.check import check, examine


def rms(x):
    return x.square().mean(-1).sqrt()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Where `check` may keep what it notes."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shown(capsys):
    """What check printed since the last call."""
    return lambda: capsys.readouterr().out


def test_a_right_answer_is_told_in_one_line_for_each_group(shown):
    check(rms)
    lines = shown().splitlines()
    assert lines[0] == "rms: all 5 groups of cases pass"
    assert all(line.startswith("  ✓") for line in lines[1:])


def test_a_known_mistake_is_named_with_its_hint(shown):
    def rms(x):
        return x.square().mean(-1)

    check(rms)
    text = shown()
    assert "It is the mean square: the root is missing." in text
    assert "Hint: Twice the amplitude" in text


def test_an_untouched_stub_is_told_so_without_an_error(shown):
    def rms(x):
        raise NotImplementedError

    check(rms)
    assert "not written yet" in shown()


def exits(x):
    sys.exit(1)


def endless(x):
    while True:
        pass


def floods(x):
    for _ in range(200_000):
        print("flood")
    return rms_of(x)


def huge(x):
    return torch.zeros(1).expand(10**9)


def modifies(x):
    return x.mul_(x).mean(-1).sqrt()


def rms_of(x):
    return x.square().mean(-1).sqrt()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (exits, "it raised SystemExit: 1"),
        (endless, "no answer after 5 s"),
        (floods, "all 5 groups of cases pass"),
        (huge, "cannot be looked at"),
        (modifies, "it changed argument 1"),
        (lambda x: "loud", "it is a str"),
        (lambda x: rms_of(x) * torch.nan, "nan"),
        (lambda: 1, "it raised TypeError"),
        (lambda x: object(), "of type object"),
        (lambda x: None, "it returned None"),
    ],
    ids=["exits", "endless", "floods", "huge", "modifies", "text", "nan", "no arguments", "object", "none"],
)
def test_misbehaviour_is_answered_in_words(function, says, shown):
    function.__name__ = "rms"
    check(function)
    text = shown()
    assert says in text
    assert "flood\n" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (3, "give it your function itself"),
        (print, "No exercise is named 'print'"),
        (None, "give it your function itself"),
    ],
)
def test_what_is_no_exercise_is_refused_in_one_sentence(given, says, shown):
    check(given)
    assert says in shown()


def test_a_misspelt_name_is_met_with_the_right_one(shown):
    def num_sample():
        return 1

    check(num_sample)
    assert "Did you mean num_samples?" in shown()


def test_a_fault_of_ours_is_one_line(shown, monkeypatch):
    monkeypatch.setattr("grader.check.judge", lambda *args, **kwargs: 1 / 0)
    check(rms)
    assert shown().startswith("check could not finish, and that is not your fault")


def test_under_validate_a_wrong_answer_raises_with_the_mistake(monkeypatch, shown):
    def rms(x):
        return x.square().mean(-1)

    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(AssertionError, match="rms: It is the mean square"):
        check(rms)


def test_check_answers_within_a_second_once_loaded():
    check(rms)
    start = time.monotonic()
    check(rms)
    assert time.monotonic() - start < 1.0


def test_examine_returns_the_points_earned(monkeypatch, shown):
    monkeypatch.setenv("GRADER_SEED", "test")
    assert examine(rms) == 2.0

    def half_right(x):
        return rms_of(x).detach()

    half_right.__name__ = "rms"
    assert 0.0 < examine(half_right) < 2.0


def test_in_jupyter_the_verdict_is_html_with_expected_beside_yours(tmp_path):
    """Run in a real kernel, because only there is there something to display to."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook()
    source = "from grader.check import check\ndef rms(x): return x.square().mean(-1)\ncheck(rms)"
    notebook.cells = [nbformat.v4.new_code_cell(source)]
    NotebookClient(notebook).execute()
    data = next(output.data for output in notebook.cells[0].outputs if output.output_type == "display_data")
    assert "root is missing" in data["text/html"]
    assert 'src="data:image/png;base64,' in data["text/html"]
    assert "root is missing" in data["text/plain"]


def test_what_a_notebook_imports_needs_only_what_colab_has():
    """Every other dependency is hidden; importing and checking must still work."""
    code = """
import importlib.abc, json, sys
hidden = {"nbgrader", "jupytext", "nbformat", "nbclient", "nbconvert", "typer", "rich", "traitlets", "sqlalchemy",
          "jupyterlab", "rapidfuzz", "jupyter_client", "zmq", "IPython", "fontTools"}
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
from grader.notebook import check, load_clip
def rms(x): return x.square().mean(-1).sqrt()
check(rms)
print(json.dumps(sorted(name for name in hidden if name in sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "all 5 groups of cases pass" in run.stdout
    assert json.loads(run.stdout.splitlines()[-1]) == []
