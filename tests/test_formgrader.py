"""What an instructor sees in a browser: nbgrader's Formgrader with the grades, and the report."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, Page

from grader.report import read_reports
from grader.report_page import write_page
from tests.conftest import make_course
from tests.synthetic import NOT_WRITTEN, Answers, enrol

UNIT = "00_start"


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course with three graded submissions."""
    root = make_course(tmp_path_factory.mktemp("formgrader"), [UNIT])
    given = {"ada": {}, "bora": {"rms": "root_missing"}, "chul": {"num_samples": NOT_WRITTEN, "rms": NOT_WRITTEN}}
    enrol(root, Answers(root, UNIT, {"root_missing": lambda x: x.square().mean(-1)}), given, {})
    return root


@pytest.fixture(scope="module")
def server(course, tmp_path_factory) -> Iterator[str]:
    """The address of a Jupyter server in the course, as `make lab` starts one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "server.txt"
    home = tmp_path_factory.mktemp("home")
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token="]
    options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={course}"]
    with log.open("w") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "server", *options],
            cwd=course, stdout=file, stderr=file,
            env={**os.environ, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api/status", running, log)
        yield address
    finally:
        running.terminate()
        running.wait(20)


def wait_for(address: str, running: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and running.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text()[-3000:])


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window as wide as a laptop's."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


def test_formgrader_shows_the_grades(server, page, tmp_path):
    page.goto(f"{server}/formgrader/gradebook/{UNIT}/{UNIT}")
    page.locator("tr", has_text="1 / 3").locator("a", has_text="Submission #").click()
    page.get_by_text("the root is missing").first.wait_for()
    page.screenshot(path=tmp_path / "formgrader.png")
    page.goto(f"{server}/formgrader/manage_submissions/{UNIT}")
    row = page.locator("tr", has_text="bora")
    row.wait_for()
    page.screenshot(path=tmp_path / "submissions.png")
    assert "1 / 3" in " ".join(row.inner_text().split())
    assert "3 / 3" in " ".join(page.locator("tr", has_text="ada").inner_text().split())
    assert "0 / 3" in " ".join(page.locator("tr", has_text="chul").inner_text().split())


@pytest.mark.parametrize("width", [1280, 360])
def test_the_report_fits_a_window_without_scripts(course, chromium, tmp_path, width):
    path = write_page(read_reports(course), tmp_path / "index.html")
    context = chromium.new_context(viewport={"width": width, "height": 800}, java_script_enabled=False, offline=True)
    window = context.new_page()
    requested = []
    window.on("request", lambda request: requested.append(request.url))
    window.goto(path.as_uri())
    assert "What the class got right and wrong" in window.inner_text("h1")
    assert window.locator("main").bounding_box()["width"] <= width
    assert all(address.startswith(("file:", "data:")) for address in requested)
    picture = window.screenshot(full_page=True)
    assert int.from_bytes(picture[16:20], "big") == width  # a PNG's width: nothing sticks out to the right
    context.close()
