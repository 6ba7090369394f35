"""All steps from the sources to the finished site."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from grader.course import CourseError
from website.font import write_font
from website.page import page, title_and_promise
from website.run import executed

HERE = Path(__file__).parent


def build_site(
    root: Path, units: list[str], target: Path, tell: Callable[[str, int, int], None] = lambda unit, done, total: None
) -> None:
    """Build the pages of `units` into `target`, which is made anew.

    `tell` is called with a unit, and how many of its cells have been run of how many. Raises `CourseError` where a
    notebook does not run or a page has a fault.
    """
    pages = target.with_name(f"{target.name}-pages")
    for folder in (pages, target):
        shutil.rmtree(folder, ignore_errors=True)
    (pages / "_extra" / "notebooks").mkdir(parents=True)
    (pages / "_static").mkdir()
    shutil.copy(HERE / "conf.py", pages)
    shutil.copy(HERE / "style.css", pages / "_static" / "sori.css")
    shutil.copy(HERE / "favicon.svg", pages / "_static")
    write_font(pages / "_static" / "stix-two-math.woff")
    rows = []
    for unit in units:
        notebook = executed(root, unit, lambda done, total, unit=unit: tell(unit, done, total))
        made = page(root, unit, notebook, pages / "_extra" / "media", units)
        (pages / f"{unit}.ipynb").write_text(nbformat.writes(made), encoding="utf-8")
        shutil.copy(root / "course" / unit / f"{unit}.ipynb", pages / "_extra" / "notebooks")
        title, promise = title_and_promise(notebook)
        rows.append(f"- **[{title}]({unit}.ipynb)**  \n  {promise}")
    front = (HERE / "index.md").read_text(encoding="utf-8")
    front = front.replace("{{units}}", "\n".join(rows)).replace("{{toctree}}", "\n".join(units))
    (pages / "index.md").write_text(front, encoding="utf-8")
    _sphinx(pages, target)


def _sphinx(pages: Path, target: Path) -> None:
    try:
        with patch_docutils(str(pages)), docutils_namespace():
            app = Sphinx(pages, pages, target, pages / "_doctrees", "html", status=None, warningiserror=True)
            app.build()
    except SphinxError as error:
        raise CourseError(f"Sphinx could not build the site: {error}") from error
    if app.statuscode:
        raise CourseError(f"Sphinx built the site in {target} with the warnings above; none may remain.")
