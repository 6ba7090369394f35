"""Grading one notebook: in a kernel of its own, decided outside it; what goes wrong costs only its own points."""

import json
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest

from grader.course import grade_id, load_unit
from grader.examiner import examine_notebook
from tests.conftest import edited, is_solution, solved

UNIT = "00_start"


@pytest.fixture
def examine(scratch_course):
    """Grade a notebook of unit 00 with a fixed seed."""

    def run(notebook, **options):
        return examine_notebook(notebook, load_unit(scratch_course, UNIT), "a seed", **options)

    return run


@pytest.fixture
def right(scratch_course):
    """A solved notebook."""
    return solved(scratch_course, UNIT)


def code(source, **metadata):
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata.update(metadata)
    return cell


def index_of(notebook, wanted):
    return next(index for index, cell in enumerate(notebook.cells) if grade_id(cell) == wanted)


def test_a_solved_notebook_earns_everything_and_neither_tests_nor_seed_enter_its_kernel(right, examine, monkeypatch):
    monkeypatch.setenv("GRADER_SEED", "very secret")
    right.cells.append(code("import os; print([line for line in In[:-1] if 'examine' in line], dict(os.environ))"))
    graded = examine(right)
    assert (graded.total, graded.unit.max_score) == (3.0, 3.0)
    assert {verdict.status for verdict in graded.verdicts.values()} == {"passed"}
    printed = right.cells[-1].outputs[0].text
    assert printed.startswith("[]")
    assert "very secret" not in printed


def test_an_untouched_notebook_earns_nothing_and_is_missing(scratch_course, examine):
    graded = examine(edited(scratch_course, UNIT, lambda cell: None))
    assert graded.total == 0
    assert {verdict.status for verdict in graded.verdicts.values()} == {"missing"}


def test_a_mistake_is_named_and_costs_only_its_own_exercise(right, examine):
    right.cells[index_of(right, "rms")].source = "def rms(x):\n    return x.square().mean(-1)"
    summary = examine(right).summary()
    assert summary["exercises"]["num_samples"] == {
        "score": 1.0,
        "max_score": 1.0,
        "status": "passed",
        "diagnosis": None,
    }
    assert summary["exercises"]["rms"]["diagnosis"] == "It is the mean square: the root is missing."


def test_cells_lost_and_doubled_tests_rewritten_and_cells_skipped_by_tag_change_nothing(right, examine):
    """The check of one exercise is gone; the other's is doubled, prints a score, is tagged to be skipped."""
    del right.cells[index_of(right, "check_num_samples")]
    check = right.cells[index_of(right, "check_rms")]
    check.source = "1000"
    check.metadata["tags"] = ["skip-execution", "raises-exception"]
    check.metadata["nbgrader"]["points"] = 1000
    right.cells.append(nbformat.from_dict(check))
    right.cells[index_of(right, "rms")].metadata["tags"] = ["skip-execution"]
    graded = examine(right)
    assert graded.summary()["score"] == 3.0
    assert graded.summary()["max_score"] == 3.0


def test_a_later_definition_in_a_doubled_cell_is_the_one_that_counts(right, examine):
    again = nbformat.from_dict(right.cells[index_of(right, "rms")])
    again.source = "def rms(x):\n    return x.abs().mean(-1)"
    right.cells.append(again)
    assert examine(right).verdicts["rms"].diagnosis.mistake == "mean_absolute"


def test_a_cell_that_kills_the_kernel_costs_only_what_depends_on_it(right, examine):
    right.cells.insert(index_of(right, "rms"), code("import os\nos._exit(1)"))
    killer = index_of(right, "rms") - 1
    graded = examine(right)
    assert graded.total == 3.0
    assert "ended the kernel" in right.cells[killer].outputs[0].evalue


def test_a_function_that_kills_the_kernel_earns_nothing_and_the_others_are_graded(right, examine):
    right.cells[index_of(right, "num_samples")].source = "import os\ndef num_samples(*args):\n    os._exit(1)"
    graded = examine(right)
    assert graded.verdicts["num_samples"].status == "error"
    assert graded.verdicts["rms"].status == "passed"


def test_a_cell_without_end_is_stopped_and_the_rest_is_graded(right, examine):
    right.cells.insert(index_of(right, "rms"), code("while True: pass"))
    graded = examine(right, cell_seconds=15.0)
    assert graded.total == 3.0


def test_the_authors_own_training_cell_has_a_time_limit_of_its_own(right, scratch_course):
    trains, lingers = "import time\ntime.sleep(6)\ntrained = True", "import time\ntime.sleep(60)\nlingered = True"
    unit = replace(load_unit(scratch_course, UNIT), training=frozenset({trains}))
    place = index_of(right, "rms")
    right.cells[place:place] = [
        code(trains),
        code(lingers, tags=["training"]),
        code("print(trained, 'lingered' in globals())"),
    ]
    graded = examine_notebook(right, unit, "a seed", cell_seconds=4.0, training_seconds=40.0)
    assert graded.total == 3.0
    assert right.cells[place + 1].outputs[-1].ename == "TimeoutError"
    assert right.cells[place + 2].outputs[0].text == "True False\n"


def test_forged_replies_and_a_shell_that_lies_earn_nothing(scratch_course, examine):
    """The kernel's own answering code is replaced by one that always says what it likes."""
    notebook = edited(scratch_course, UNIT, lambda cell: None)
    forged = "import grader.answer\ngrader.answer.reply = lambda *_: 'full marks'\n"
    notebook.cells.insert(0, code(forged + "get_ipython().user_expressions = lambda *_: {}"))
    assert examine(notebook).total == 0


def test_unchanged_demo_cells_are_left_out_and_changed_ones_run(right, examine, scratch_course):
    demos = [cell for cell in right.cells if cell.source.strip() in load_unit(scratch_course, UNIT).demos]
    assert len(demos) >= 2
    demos[0].source += "\nprint('mine')"
    examine(right)
    assert demos[0].outputs
    assert not demos[1].outputs


def test_an_answer_that_leans_on_a_demo_cell_is_graded_with_it(right, examine, scratch_course):
    demos = load_unit(scratch_course, UNIT).demos
    first = next(cell for cell in right.cells if cell.source.strip() in demos and "waveform =" in cell.source)
    right.cells[index_of(right, "rms")].source = "def rms(x):\n    return x.square().mean(-1).sqrt() + 0 * waveform[0]"
    assert examine(right).verdicts["rms"].status == "passed"
    assert first.outputs


def grader(*arguments, cwd):
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_score_prints_exactly_one_json_object(right, scratch_course, tmp_path):
    right.cells[
        index_of(right, "num_samples")
    ].source = "def num_samples(seconds, sample_rate=16_000):\n    return None"
    path = tmp_path / "renamed.ipynb"
    nbformat.write(right, path)
    run = grader("score", path, "--json", "--seed", 7, cwd=scratch_course)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found == {
        "unit": UNIT,
        "score": 2.0,
        "max_score": 3.0,
        "exercises": {
            "num_samples": {"score": 0.0, "max_score": 1.0, "status": "failed", "diagnosis": "it returned None"},
            "rms": {"score": 2.0, "max_score": 2.0, "status": "passed", "diagnosis": None},
        },
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "is not a Jupyter notebook"),
        (b"{}", "is not a Jupyter notebook"),
        (b"\xff\xfe\x00", "is not a Jupyter notebook"),
        (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "no exercise of this course"),
        (b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "is not a Jupyter notebook"),
        (None, "cannot be read"),
    ],
    ids=["text", "empty object", "wrong encoding", "no exercises", "cells are no list", "no file"],
)
def test_a_file_that_cannot_be_graded_is_refused_in_a_sentence(content, says, tmp_path, scratch_course):
    path = tmp_path / "handed-in.ipynb"
    if content is not None:
        path.write_bytes(content)
    run = grader("score", path, "--json", cwd=scratch_course)
    assert run.returncode == 2
    assert says in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_a_notebook_of_another_unit_is_refused_where_a_unit_is_named(right, scratch_course, tmp_path):
    path = tmp_path / "00_start.ipynb"
    nbformat.write(right, path)
    run = grader("score", path, "--unit", "02_attention", cwd=scratch_course)
    assert run.returncode == 2
    assert "holds the exercises of 00_start, not of 02_attention" in " ".join(run.stderr.split())


def test_every_solved_cell_is_marked_as_a_solution(right):
    assert sum(is_solution(cell) for cell in right.cells) == 2
