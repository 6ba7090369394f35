"""Every notebook in a real kernel, in a folder outside the repository, without a network."""

import nbformat
import pytest
from nbclient import NotebookClient

from grader.course import load_unit, read_notebook
from grader.examiner import TRAINING_SECONDS
from tests.conftest import ROOT, UNITS

OFFLINE = """
import socket
def _refuse(*args, **kwargs):
    raise OSError("this test allows no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = _refuse
"""


def run(path, folder) -> nbformat.NotebookNode:
    """The notebook after a run from top to bottom, errors and all. A unit that trains has more time for a cell."""
    seconds = TRAINING_SECONDS if load_unit(ROOT, path.stem).training else 200
    notebook = read_notebook(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(OFFLINE))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=int(seconds), allow_errors=True, resources=resources).execute()
    return notebook


def outputs(notebook, kind):
    return [(cell.source, output) for cell in notebook.cells for output in cell.get("outputs", []) if kind(output)]


@pytest.mark.parametrize("unit", UNITS)
def test_the_solved_notebook_runs_alone_without_error_or_warning(unit, tmp_path):
    notebook = run(ROOT / "solutions" / unit / f"{unit}.ipynb", tmp_path)
    assert not outputs(notebook, lambda output: output.output_type == "error")
    assert not outputs(notebook, lambda output: output.output_type == "stream" and output.name == "stderr")
    verdicts = outputs(notebook, lambda output: "groups of cases pass" in output.get("data", {}).get("text/plain", ""))
    assert verdicts


@pytest.mark.parametrize("unit", UNITS)
def test_the_student_edition_stops_only_where_something_is_to_be_written(unit, tmp_path):
    notebook = run(ROOT / "course" / unit / f"{unit}.ipynb", tmp_path)
    errors = outputs(notebook, lambda output: output.output_type == "error")
    assert errors
    others = [(source, error.ename, error.evalue) for source, error in errors if error.ename != "NotImplementedError"]
    assert not others


@pytest.mark.parametrize("unit", UNITS)
def test_every_picture_has_a_text_and_every_player_a_caption(unit):
    for cell in read_notebook(ROOT / "solutions" / unit / f"{unit}.ipynb").cells:
        if cell.cell_type == "code":
            assert "plt.show()" not in cell.source, "use show(figure, summary)"
            assert "Audio(" not in cell.source, "use play(waveform, caption)"
