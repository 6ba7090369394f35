"""A headless Chromium for tests that look at pages as people do."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")  # no longer: while Playwright runs, no other test of this process may use asyncio
def chromium() -> Iterator[Browser]:
    """The browser of this machine; tests are skipped where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH (Debian, Ubuntu: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--autoplay-policy=no-user-gesture-required"])
        yield browser
        browser.close()
