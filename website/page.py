"""From an executed notebook to a page: answers and set-up folded away, links and outputs as a reader needs them."""

import re
from copy import deepcopy
from pathlib import Path

from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode

from grader.course import grade_id, read_notebook
from website.media import extract

ANSWER, SET_UP = "One answer", "Set-up"

_BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\(([^)]*)\)")
_UNIT_LINK = re.compile(r"\[([^\]]*)\]\(\.\./(\w+)/\2\.ipynb\)")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def page(root: Path, unit: str, notebook: NotebookNode, media: Path, units: list[str]) -> NotebookNode:
    """The notebook that Sphinx makes `unit`'s page from.

    `media` is the folder for sounds and pictures; `units` are those that have a page, and only to these others link.
    """
    stubs = {
        grade_id(cell): cell for cell in read_notebook(root / "course" / unit / f"{unit}.ipynb").cells if grade_id(cell)
    }
    shown = deepcopy(notebook)
    shown.metadata.pop("widgets", None)  # their state; where no kernel runs, nothing can be dragged
    shown.cells = []
    for cell in deepcopy(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = _text(cell.source, unit, units)
        else:
            cell.outputs = [kept for output in cell.outputs if (kept := _output(output, media / unit, unit))]
            if cell.metadata.get("nbgrader", {}).get("solution"):
                shown.cells.append(_stub(stubs[grade_id(cell)]))
                cell.source = "\n".join(line for line in cell.source.splitlines() if "### " not in line)
                _fold(cell, ANSWER)
            elif "setup" in cell.metadata.get("tags", []):
                _fold(cell, SET_UP)
        shown.cells.append(cell)
    # A progress bar on a terminal draws over itself; of all its states the last one remains.
    return CoalesceStreamsPreprocessor().preprocess(shown, {})[0]


def title_and_promise(notebook: NotebookNode) -> tuple[str, str]:
    """What the first cell says: the unit's title, and the paragraph below it on one line."""
    heading, promise, *_ = notebook.cells[0].source.split("\n\n")
    return heading.removeprefix("# "), " ".join(promise.split())


def _text(source: str, unit: str, units: list[str]) -> str:
    source = _BADGE.sub(
        rf'<p class="doors"><a href="\1">Open in Colab</a> '
        rf'<a href="notebooks/{unit}.ipynb" download>Download the notebook</a></p>',
        source,
    )
    return _UNIT_LINK.sub(lambda link: f"[{link[1]}]({link[2]}.ipynb)" if link[2] in units else link[1], source)


def _stub(cell: NotebookNode) -> NotebookNode:
    cell = deepcopy(cell)
    cell["id"] = f"stub-{cell['id']}"
    return cell


def _fold(cell: NotebookNode, says: str) -> None:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
    cell.metadata["mystnb"] = {"code_prompt_show": says, "code_prompt_hide": says}


def _output(output: NotebookNode, folder: Path, unit: str) -> NotebookNode | None:
    """The output as a page shows it; None for progress bars and for what only a running kernel could show."""
    data = output.get("data", {})
    if data.pop(_WIDGET, None) and "text/html" not in data:
        return None
    if output.output_type == "stream" and output.name == "stderr":
        return None
    if "text/html" in data:
        data["text/html"] = extract(data["text/html"], folder, f"media/{unit}")
    return output
