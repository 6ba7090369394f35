"""The report as one HTML page that needs nothing else: no network, no script, pictures inside."""

import io
import re
from base64 import b64encode
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from grader.report import COMMON, STATUSES, UnitReport

# Okabe–Ito colours, dark and light in turn, so that neighbours differ in grey as well.
_COLOURS = dict(zip(STATUSES, ("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#CCCCCC"), strict=True))
_WORDS = {
    "passed": "passed",
    "partial": "passed in part",
    "failed": "wrong",
    "error": "gave no value",
    "missing": "not written",
}
_BINS = 20


def write_page(reports: list[UnitReport], path: Path) -> Path:
    """Write the page of some units. Whatever came from students is escaped."""
    environment = Environment(
        loader=PackageLoader("grader", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"code": _code, "percent": _percent, "points": _points}
    page = environment.get_template("report.html.j2").render(
        reports=reports,
        made=datetime.now().astimezone().strftime("%d %B %Y, %H:%M").lstrip("0"),
        colours=_COLOURS,
        words=_WORDS,
        common=COMMON,
        histogram=_histogram,
        histogram_text=_histogram_text,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _code(text: str) -> Markup:
    """Escaped text in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped right here)


def _percent(share: float) -> str:
    """`15 %`; one that is neither none nor all never reads 0 % or 100 %."""
    return f"{min(max(round(share * 100), share > 0), 100 - (share < 1)):d} %"


def _points(value: float) -> str:
    return f"{round(value, 2):g}"


def _histogram_text(unit: UnitReport) -> str:
    low, middle, high = unit.quartiles
    return (
        f"Points of {len(unit.graded)} submissions, of {_points(unit.max_score)}: half have {_points(middle)} or less, "
        f"a quarter {_points(low)} or less, a quarter {_points(high)} or more."
    )


def _histogram(unit: UnitReport) -> str:
    """The distribution of points as the text of an SVG picture in base64."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": unit.name, "font.size": 11}):
        figure = Figure(figsize=(5.6, 2.3), layout="constrained")
        axes = figure.subplots()
        axes.hist(
            [result.score for result in unit.graded], bins=_BINS, range=(0, unit.max_score or 1), color="#0072B2",
            edgecolor="white",
        )  # fmt: skip
        axes.set(xlabel=f"points of {_points(unit.max_score)}", ylabel="submissions", xlim=(0, unit.max_score or 1))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(file, format="svg", metadata={"Date": None})
    return b64encode(file.getvalue()).decode()
