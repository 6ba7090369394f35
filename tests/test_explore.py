"""A slider over a picture, and the still pictures where no widgets run."""

import nbformat
import pytest
from nbclient import NotebookClient

from grader import explore as exploring
from grader.course import read_notebook
from grader.explore import explore, with_slider
from grader.picture import show
from tests.conftest import ROOT

WIDGET = "application/vnd.jupyter.widget-view+json"


def draw(value):
    """A figure for one value."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    show(figure, f"the picture for {value}")


@pytest.fixture
def shown(monkeypatch):
    bundles = []
    monkeypatch.setattr(exploring, "present", bundles.append)
    monkeypatch.delenv("GRADER_STATIC", raising=False)
    return bundles


def test_still_pictures_stand_where_no_widgets_run(shown, monkeypatch):
    monkeypatch.setenv("GRADER_STATIC", "1")
    explore(draw, "value", [1, 2, 3], still=(2, 3))
    (bundle,) = shown
    assert bundle["text/html"].count("data:image/png;base64,") == 2
    assert bundle["text/plain"] == "the picture for 2\nthe picture for 3"
    assert WIDGET not in bundle


def test_a_widget_comes_with_the_still_pictures_for_those_who_have_none(shown):
    explore(draw, "value", [1, 2, 3], still=(2,))
    assert shown[0][WIDGET]["model_id"]
    assert 'alt="the picture for 2"' in shown[0]["text/html"]


def test_dragging_draws_the_picture_for_the_value():
    drawn = []
    box = with_slider("value", [1, 2, 3], 2, lambda value: drawn.append(value) or f"picture {value}")
    slider, below = box.children
    assert below.value == "picture 2"
    slider.value = 3
    assert below.value == "picture 3"
    assert drawn == [2, 3]


def test_a_still_value_that_the_slider_cannot_reach_is_refused(shown):
    with pytest.raises(ValueError, match="still must hold some of the values"):
        explore(draw, "value", [1, 2, 3], still=(4,))


def test_in_a_kernel_the_slider_is_shown_without_a_warning(tmp_path):
    source = "from tests.test_explore import draw\nfrom grader.notebook import explore\n"
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(f"{source}explore(draw, 'value', [1, 2, 3], still=(1, 3))")]
    NotebookClient(notebook, resources={"metadata": {"path": str(ROOT)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert {WIDGET, "text/html", "text/plain"} <= output.data.keys()


@pytest.mark.parametrize("unit", ["02_attention", "03_whisper_mel", "11_vocoder"])
def test_the_three_units_where_dragging_teaches_have_a_slider(unit):
    cells = read_notebook(ROOT / "course" / unit / f"{unit}.ipynb").cells
    assert sum(cell.cell_type == "code" and "\nexplore(" in cell.source for cell in cells) == 1
