"""A student's hour in a real JupyterLab, started by `make lab`, in a real browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from grader.gradebook import nbgrader_api
from tests.conftest import ROOT, make_course

UNIT = "02_attention"
SECONDS = 1000  # of Playwright's milliseconds
PATIENCE = 120 * SECONDS  # a machine may be busy; waiting ends as soon as there is something to see
WRONG = "    return q @ k.mT"
RIGHT = "    return q @ k.mT / math.sqrt(q.shape[-1])"


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course of one unit, released, also through the exchange."""
    root = make_course(tmp_path_factory.mktemp("lab"), [UNIT])
    shutil.copy(ROOT / "Makefile", root)
    assert nbgrader_api(root).release_assignment(UNIT)["success"]
    return root


@pytest.fixture(scope="module")
def address(course, chromium) -> str:
    """JupyterLab as `make lab` starts it, on a free port of this machine; its address, with the token."""
    home = course / "home"
    home.mkdir()
    options = "--no-browser --allow-root --ServerApp.ip=127.0.0.1 --ServerApp.port=0 --IdentityProvider.token=secret"
    outside = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # these tests run under make
    recipe = subprocess.run(
        ["make", "-n", "-o", ".venv/.ready", "lab", f"ARGS={options}"],
        cwd=course, env=outside, capture_output=True, text=True,
    )  # fmt: skip
    command = recipe.stdout.removeprefix(". .venv/bin/activate && ")
    ours = {"HOME": home, "JUPYTER_RUNTIME_DIR": home / "runtime", "IPYTHONDIR": home / "ipython"}
    ours |= {"JUPYTER_CONFIG_DIR": home / "config", "JUPYTER_DATA_DIR": home / "data"}
    environment = os.environ | {name: str(value) for name, value in ours.items()}
    with (home / "log").open("wb") as log:
        lab = subprocess.Popen(
            ["sh", "-c", command], cwd=course, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield f"{_server(home, lab)}lab/tree/course/{UNIT}/{UNIT}.ipynb?reset&token=secret"
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(30)


def _server(home: Path, lab: subprocess.Popen) -> str:
    """Where it listens, once it does."""
    until = time.monotonic() + 120
    while time.monotonic() < until and lab.poll() is None:
        for found in (home / "runtime").glob("jpserver-*.json"):
            if found.stat().st_size:
                return json.loads(found.read_text(encoding="utf-8"))["url"]
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{(home / 'log').read_text(encoding='utf-8')}")


@pytest.fixture
def lab(chromium, address) -> Page:
    """The unit, opened, its kernel ready."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(address)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")
    yield page
    shoot(page, "last")
    page.close()


def menu(page: Page, name: str, entry: str) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text=name).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(entry)}$")).click()


def go_to(page: Page, heading: str) -> None:
    """As a reader does: by the table of contents."""
    if not page.locator(".jp-TableOfContents-tree").is_visible():
        page.locator('[data-id="table-of-contents"]').click()
    page.locator(".jp-tocItem-heading", has_text=heading).click()


def cell(page: Page, text: str) -> Locator:
    return page.locator(".jp-CodeCell").filter(has_text=text)


def replace_last_line(page: Page, cell: Locator, line: str) -> None:
    cell.locator(".cm-line").last.click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Home")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Control+End")
    page.keyboard.insert_text(line)


def run_cell(page: Page) -> None:
    page.keyboard.press("Shift+Enter")


def shoot(page: Page, name: str) -> None:
    """A picture for people, where SORI_SCREENSHOTS names a folder for them."""
    if folder := os.environ.get("SORI_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_student_makes_a_mistake_mends_it_and_validates(lab):
    menu(lab, "Run", "Run All Cells")
    go_to(lab, "Exercise 2.1")
    stub, check = cell(lab, "def attention_scores("), cell(lab, "check(attention_scores)")
    verdict = check.locator(".jp-OutputArea-output").first
    expect(verdict).to_contain_text("not written yet")
    shoot(lab, "1-run-all")

    replace_last_line(lab, stub, WRONG)
    run_cell(lab)
    run_cell(lab)
    expect(verdict).to_contain_text("the division by √d is missing")
    expect(verdict).to_contain_text("Hint:")
    shoot(lab, "2-wrong")

    replace_last_line(lab, stub, RIGHT)
    run_cell(lab)
    run_cell(lab)
    expect(verdict).to_contain_text("groups of cases pass")
    expect(verdict).not_to_contain_text("✗")
    shoot(lab, "3-right")

    lab.get_by_role("button", name="Validate").click()
    dialog = lab.locator(".jp-Dialog")
    expect(dialog).to_be_visible()
    shoot(lab, "4-validated")
    expect(dialog).to_contain_text("softmax: it is not written yet")
    expect(dialog).not_to_contain_text("check(attention_scores)")
    expect(dialog).not_to_contain_text("Traceback")
    dialog.get_by_role("button", name="Ok").click()

    go_to(lab, "How far you are")
    card = cell(lab, 'scorecard("02_attention")')
    card.locator(".cm-line").last.click()
    run_cell(lab)
    expect(card).to_contain_text("1 of 9 exercises solved")
    shoot(lab, "5-scorecard")


def test_the_table_of_contents_names_sections_and_exercises(lab):
    lab.locator('[data-id="table-of-contents"]').click()
    entries = lab.locator(".jp-tocItem-heading")
    expect(entries.filter(has_text="Exercise 2.")).to_have_count(9)
    expect(entries.first).to_have_text("2 · Attention")
    expect(entries.last).to_have_text("How far you are")
    shoot(lab, "6-contents")


def test_the_assignment_list_offers_the_released_unit_and_takes_it_back(lab, course):
    menu(lab, "Nbgrader", "Assignment List")
    downloaded = lab.locator("#fetched_assignments_list")
    expect(downloaded).to_contain_text(UNIT)
    shoot(lab, "6-assignments")
    downloaded.get_by_role("button", name="Submit").click()
    expect(lab.locator("#submitted_assignments_list")).to_contain_text(UNIT)
    shoot(lab, "7-submitted")
    (handed_in,) = (course / "gradebook" / "exchange" / "sori" / "inbound").glob(f"*+{UNIT}+*")
    assert (handed_in / f"{UNIT}.ipynb").is_file()


def test_the_formgrader_shows_the_course(lab):
    menu(lab, "Nbgrader", "Formgrader")
    formgrader = lab.frame_locator("iframe[src*=formgrader]")
    expect(formgrader.locator("table")).to_contain_text(UNIT)
    expect(formgrader.locator("table")).to_contain_text("released")
    shoot(lab, "8-formgrader")


def test_a_hint_unfolds_by_keyboard(lab):
    go_to(lab, "Exercise 2.1")
    hint = lab.locator("details", has_text="Hint 1: all dot products at once")
    said = hint.get_by_text("holds every")
    expect(said).to_be_hidden()
    hint.locator("summary").focus()
    lab.keyboard.press("Enter")
    expect(said).to_be_visible()
    shoot(lab, "9-hint")
