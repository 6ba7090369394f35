"""The site of two units, in a real browser, from its files alone: no server, no network."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from grader.course import load_unit
from tests.conftest import ROOT
from website.build import build_site

UNITS = ["00_start", "02_attention"]
PAGES = ["index", *UNITS]
WIDE, PHONE = {"width": 1500, "height": 900}, {"width": 390, "height": 844}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder that the site was built into."""
    target = tmp_path_factory.mktemp("site") / "site"
    build_site(ROOT, UNITS, target)
    return target


def visit(browser: Browser, site: Path, page: str, window: dict[str, int] = WIDE, **settings) -> Page:
    """A page of the site, loaded, with `faults`: what went wrong while loading."""
    opened = browser.new_page(viewport=window, **settings)
    opened.faults = []
    opened.on("console", lambda said: said.type == "error" and opened.faults.append(said.text))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    # A player may break off loading what nobody plays yet; whether it plays has a test of its own.
    opened.on("requestfailed", lambda one: one.failure == "net::ERR_ABORTED" or opened.faults.append(one.url))
    opened.on("request", lambda request: request.url.startswith("http") and opened.faults.append(request.url))
    opened.goto((site / page).with_suffix(".html").as_uri())
    return opened


@pytest.fixture(params=PAGES)
def page(request, chromium, site) -> Page:
    opened = visit(chromium, site, request.param)
    opened.name = request.param
    yield opened
    opened.close()


def test_a_page_loads_all_its_pictures_and_reports_nothing(page):
    page.evaluate("document.querySelectorAll('img').forEach(picture => picture.loading = 'eager')")
    page.wait_for_function("[...document.images].every(picture => picture.complete)")
    missing = page.evaluate("[...document.images].filter(one => one.naturalWidth < 2).map(one => one.src)")
    assert missing == []
    assert page.faults == []
    assert page.name == "index" or page.locator("article img").count() >= 4


def test_every_picture_and_player_is_described_in_words(page):
    names = page.locator("article img").evaluate_all("all => all.map(one => one.alt)")
    names += page.locator("audio").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert all(name and name.strip() for name in names)
    captions = page.locator("figcaption").all_text_contents()
    assert names == [] or set(captions) <= {" ".join(name.split()) for name in names} | set(names)


def test_no_markup_is_left_in_the_text(page):
    text = page.evaluate(
        """() => {
            const copy = document.querySelector('article').cloneNode(true);
            copy.querySelectorAll('pre, code, math').forEach(one => one.remove());
            return copy.textContent;
        }"""
    )
    assert len(text) > 500
    found = re.findall(r"\$|\\[a-z]{2,}|\*\*|```|\]\(|\{\{|</?[a-z]+>|^#+ ", text, flags=re.MULTILINE)
    assert found == []


def test_every_formula_is_rendered(page):
    formulas = page.locator("math").all_text_contents()
    assert page.name != "02_attention" or len(formulas) > 50
    assert [text for text in formulas if re.search(r"[\\$&]|\^|^\s*$", text)] == []
    assert page.locator("merror").count() == 0
    heights = page.locator(".formula math").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert all(height > 8 for height in heights)


def test_the_font_for_formulas_is_used(chromium, site):
    page = visit(chromium, site, "02_attention")
    assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"STIX Two Math\"'))")
    assert page.evaluate("[...document.fonts].some(one => one.family.includes('STIX') && one.status === 'loaded')")
    page.close()


@pytest.mark.parametrize("unit", UNITS)
def test_every_sound_plays(chromium, site, unit):
    page = visit(chromium, site, unit)
    players = page.locator("audio")
    assert players.count() >= 2
    for player in players.all():
        player.evaluate("one => { one.muted = true; return one.play(); }")
        player.evaluate(
            "one => new Promise(done => one.addEventListener('timeupdate', () => one.currentTime && done()))"
        )
        assert player.evaluate("one => [one.readyState >= 2, one.duration > 0, one.error]") == [True, True, None]
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_is_wider_than_the_window(chromium, site, name):
    page = visit(chromium, site, name, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    outside = page.locator("article :is(p, li, h1, h2, h3, figure, summary, .formula, pre)").evaluate_all(
        f"all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().right > {PHONE['width']})"
        ".filter(one => !one.closest('.output, .table-wrapper, pre')).map(one => one.textContent.slice(0, 60))"
    )
    assert outside == []
    page.close()


def test_it_is_read_without_javascript(chromium, site):
    page = visit(chromium, site, "02_attention", java_script_enabled=False)
    answer = page.locator("details", has_text="One answer").first
    solution = answer.get_by_text("return q @ k.mT / math.sqrt(q.shape[-1])")
    assert not solution.is_visible()
    answer.locator("summary").click()
    assert solution.is_visible()
    assert page.locator("math").first.is_visible()
    assert page.locator("article img").first.bounding_box()["height"] > 50
    page.close()


def test_hints_and_answers_unfold_by_keyboard_and_the_focus_is_seen(chromium, site):
    page = visit(chromium, site, "02_attention")
    for kind in ("Hint 1", "One answer", "Set-up"):
        fold = page.locator("details", has_text=kind).first
        assert fold.get_attribute("open") is None
        page.keyboard.press("Tab")  # from here on the browser shows the focus
        fold.locator("summary").focus()
        assert fold.locator("summary").evaluate("one => getComputedStyle(one).outlineWidth") == "3px"
        page.keyboard.press("Enter")
        assert fold.get_attribute("open") is not None
        page.keyboard.press("Space")
        assert fold.get_attribute("open") is None
    page.close()


@pytest.mark.parametrize("unit", UNITS)
def test_each_exercise_shows_its_stub_and_folds_one_answer_away(chromium, site, unit):
    page = visit(chromium, site, unit)
    for name in load_unit(ROOT, unit).points:
        definitions = page.locator("pre", has_text=f"def {name}(")
        assert definitions.filter(has_text="raise NotImplementedError").first.is_visible()
        answer = page.locator("details", has=definitions.filter(has_not_text="raise NotImplementedError"))
        assert answer.locator("summary").text_content() == "One answer"
    assert page.locator("details[open]").count() == 0
    page.close()


def test_hidden_tests_are_nowhere(site):
    read = [path for path in site.rglob("*") if path.suffix in (".html", ".js", ".ipynb", ".txt")]
    assert len(read) > 10
    for path in read:
        text = path.read_text(encoding="utf-8")
        assert "examine" not in text.replace("examined", "")
        assert "HIDDEN TESTS" not in text


@pytest.mark.parametrize("unit", UNITS)
def test_a_page_leads_to_colab_to_its_notebook_and_to_its_neighbours(chromium, site, unit):
    page = visit(chromium, site, unit)
    colab = page.get_by_role("link", name="Open in Colab").get_attribute("href")
    assert re.fullmatch(rf"https://colab\.research\.google\.com/github/.+/course/{unit}/{unit}\.ipynb", colab)
    notebook = page.get_by_role("link", name="Download the notebook").get_attribute("href")
    assert (site / notebook).read_bytes() == (ROOT / "course" / unit / f"{unit}.ipynb").read_bytes()
    links = page.locator("a[href]").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    for link in links:
        if not re.match(r"https?:|#", link):
            assert (site / link.split("#")[0].split("?")[0]).is_file(), link
    related = page.locator(".related-pages a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    here = PAGES.index(unit)
    assert related == [f"{name}.html" for name in [*PAGES[here + 1 : here + 2], PAGES[here - 1]]]
    page.close()


def test_search_finds_a_word_without_a_network(chromium, site):
    page = visit(chromium, site, "index")
    page.locator("input[name=q]").first.fill("saturated")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    assert [link.get_attribute("href").split("#")[0].split("?")[0] for link in found.all()] == ["02_attention.html"]
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_it_meets_wcag_aa_in_both_colour_schemes(chromium, site, name, scheme):
    page = visit(chromium, site, name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    # Thousands of coloured tokens take minutes; the first cells hold every colour.
    page.evaluate("document.querySelectorAll('pre').forEach((one, n) => n > 6 && one.replaceChildren(one.textContent))")
    assert page.locator("html").get_attribute("lang") == "en"
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    page.close()


def test_a_page_is_light_and_its_headings_are_in_order(page, site):
    html = (site / f"{page.name}.html").read_text(encoding="utf-8")
    assert len(html) < 500_000
    assert "base64," not in html
    levels = page.locator("article :is(h1, h2, h3, h4)").evaluate_all("all => all.map(one => +one.tagName[1])")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip([0, *levels], levels, strict=False))
