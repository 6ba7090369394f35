"""What a notebook shows can be read by those who see it poorly or not at all, and worked by keyboard alone."""

import re
from itertools import pairwise

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from grader import render
from grader.exercise import find_exercise
from grader.judge import judge
from tests.conftest import ROOT, UNITS, author_notebook

#: JupyterLab's --jp-layout-color0 and --jp-content-font-color1 in its light and dark themes.
THEMES = {"light": ("#ffffff", "rgba(0, 0, 0, 0.87)"), "dark": ("#111111", "rgba(255, 255, 255, 1)")}
OKABE_ITO = {"#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#D55E00", "#E69F00", "#F0E442", "#000000"}
DARKENED = {"#A8327F", "#B34700"}  # two of them, for letters on white
MAPS = {"viridis", "magma", "cividis", "RdBu_r", "gray", "Greys_r"}


def texts(unit: str) -> list[str]:
    return [cell.source for cell in author_notebook(ROOT, unit).cells if cell.cell_type == "markdown"]


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("unit", UNITS)
def test_headings_make_an_outline(unit):
    levels = [len(mark) for text in texts(unit) for mark in re.findall(r"^(#+) ", without_code(text), re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("unit", UNITS)
def test_every_picture_in_a_text_says_what_it_shows(unit):
    pictures = [alt for text in texts(unit) for alt in re.findall(r"!\[([^\]]*)\]\(", text)]
    assert pictures
    assert all(alt.strip() for alt in pictures)
    assert not any("<img" in text for text in texts(unit))


@pytest.mark.parametrize("unit", UNITS)
def test_colours_are_told_apart_by_the_colour_blind(unit):
    code = "\n".join(cell.source for cell in author_notebook(ROOT, unit).cells if cell.cell_type == "code")
    for colour in {one.upper() for one in re.findall(r"#[0-9A-Fa-f]{6}\b", code)} - OKABE_ITO - DARKENED:
        channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        grey, pale = len(set(channels)) == 1, sum(channels) > 3 * 0.69 * 255  # a pale one only lies behind something
        assert grey or pale, colour
    assert set(re.findall(r"cmap=\"([^\"]+)\"", code)) <= MAPS
    assert not re.search(r"color=\"(red|green|r|g|tab:(red|green))\"", code)


@pytest.mark.parametrize("unit", UNITS)
def test_every_fold_is_native_closed_and_named(unit):
    folds = [fold for text in texts(unit) for fold in re.findall(r"<details[^>]*>\s*(?:<summary>[^\n]*)?", text)]
    assert folds
    assert all(re.fullmatch(r"<details>\s*<summary>.{6,}</summary>", fold) for fold in folds)


def rms(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(-1).sqrt()


def mean_square(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean(-1)


def verdict_of(function) -> str:
    from grader.answer import answer

    return render.as_html(judge(find_exercise("rms"), lambda question: answer(function, question), practice=True))


@pytest.mark.parametrize("theme", THEMES)
def test_a_verdict_is_readable_in_both_themes(chromium, theme):
    background, colour = THEMES[theme]
    right, wrong = verdict_of(rms), verdict_of(mean_square)
    assert "✓ passed" in right
    assert "✗ not yet" in wrong
    page = chromium.new_page()
    page.set_content(
        f'<html lang="en"><title>verdicts</title><body style="background:{background};color:{colour}"><main>'
        f"{right}{wrong}</main></body></html>"
    )
    rules = {"runOnly": ["color-contrast", "image-alt"]}
    found = Axe().run(page, options=rules)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()
    page.close()
