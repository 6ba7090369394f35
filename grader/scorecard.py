"""How far a learner is: for one unit a table and a picture, for the terminal a line a unit."""

import os
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from grader.lesson import Announced, Lesson, lessons, read_lesson
from grader.picture import collected, present, show
from grader.progress import Record, known

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOLVED, BROKEN, TRIED, OPEN = "solved", "solved before", "not yet", "not begun"
#: The sign and the colour (Okabe–Ito) of each state: no state is told by its colour alone.
MARKS = {SOLVED: ("✓", "#009E73"), BROKEN: ("↺", "#56B4E9"), TRIED: ("…", "#E69F00"), OPEN: ("", "#FFFFFF")}
_CELL = "text-align:left;padding:2px 14px 2px 0"


@dataclass(frozen=True)
class Row:
    """One exercise and how it stands."""

    exercise: Announced
    record: Record | None

    @property
    def state(self) -> str:
        """`solved`, `solved before` (the last check did not pass), `not yet` or `not begun`."""
        if self.record is None or (self.record.status == "missing" and not self.record.solved):
            return OPEN
        if self.record.solved:
            return BROKEN if self.record.status not in ("passed", "missing") else SOLVED
        return TRIED

    @property
    def done(self) -> bool:
        """Whether it was ever solved."""
        return self.state in (SOLVED, BROKEN)

    @property
    def says(self) -> str:
        """The state in words."""
        if self.state == TRIED:
            assert self.record is not None
            return f"{TRIED}: {self.record.passed} of {self.record.groups} groups of cases pass"
        return "solved before; the last check did not pass" if self.state == BROKEN else self.state


def scorecard(unit: str) -> None:
    """Show what is solved in a unit, what is not, and the next step, from what `check` remembers.

    Raises `ValueError` where there is no such unit. While a notebook is graded it is silent.
    """
    if os.environ.get("NBGRADER_EXECUTION"):
        return
    try:
        lesson = read_lesson(unit)
    except FileNotFoundError:
        names = ", ".join(one.unit for one in lessons()) or "none: the folder course/ is missing"
        raise ValueError(f"There is no unit {unit!r}. The units are {names}.") from None
    rows = rows_of(lesson, known())
    text = as_text(lesson, rows)
    html, _ = collected(lambda: show(_draw(rows), headline(lesson, rows)))
    present({"text/plain": text, "text/html": html + _as_html(lesson, rows)})


def rows_of(lesson: Lesson, records: dict[str, Record]) -> list[Row]:
    """Each exercise of a unit with what is known of it."""
    return [Row(exercise, records.get(exercise.name)) for exercise in lesson.exercises]


def headline(lesson: Lesson, rows: list[Row]) -> str:
    """`Unit 2 · Attention: 3 of 9 exercises solved`."""
    return f"Unit {lesson.title}: {sum(row.done for row in rows)} of {len(rows)} exercises solved"


def next_step(lesson: Lesson, rows: list[Row]) -> str:
    """The first exercise that is not solved, or, when all are, the next unit."""
    for row in rows:
        if not row.done:
            one = row.exercise
            verb = "Go on with" if row.state == TRIED else "Next:"
            return f"{verb} exercise {one.number}, {one.title}: `{one.name}`, {one.minutes} minutes."
    later = [one for one in lessons() if one.unit > lesson.unit]
    return f"All solved. Next: unit {later[0].title}." if later else "All solved: that was the last unit."


def as_text(lesson: Lesson, rows: list[Row]) -> str:
    """The table in plain lines."""
    width = max((len(row.exercise.title) for row in rows), default=0)
    lines = [
        f"  {MARKS[row.state][0] or '·'} {row.exercise.number:<5}{row.exercise.title:<{width}}  {row.says}"
        for row in rows
    ]
    return "\n".join([headline(lesson, rows), *lines, next_step(lesson, rows)])


def _as_html(lesson: Lesson, rows: list[Row]) -> str:
    body = "".join(
        f'<tr><td style="{_CELL}">{row.exercise.number}</td><td style="{_CELL}">{escape(row.exercise.title)}</td>'
        f'<td style="{_CELL}"><code>{row.exercise.name}</code></td>'
        f'<td style="{_CELL}">{MARKS[row.state][0]} {escape(row.says)}</td></tr>'
        for row in rows
    )
    heads = "".join(f'<th scope="col" style="{_CELL}">{head}</th>' for head in ("", "exercise", "function", "state"))
    step = escape(next_step(lesson, rows)).replace("`", "<code>", 1).replace("`", "</code>", 1)
    return f'<table style="margin:4px 0"><tr>{heads}</tr>{body}</table><p><b>{step}</b></p>'


def _draw(rows: list[Row]) -> "Figure":
    """A row of squares, one an exercise."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(max(4.0, 0.75 * len(rows) + 0.3), 1.2), layout="constrained")
    for place, row in enumerate(rows):
        _draw_square(axes, place, row)
    axes.set(xlim=(-0.1, max(len(rows), 5)), ylim=(-0.62, 1.1), aspect="equal")
    axes.set_axis_off()
    return figure


def _draw_square(axes: "Axes", place: int, row: Row) -> None:
    from matplotlib.patches import Rectangle

    sign, colour = MARKS[row.state]
    dashed = "--" if row.state == OPEN else "-"
    axes.add_patch(Rectangle((place + 0.05, 0), 0.86, 0.86, facecolor=colour, edgecolor="black", linestyle=dashed))
    axes.text(place + 0.48, 0.43, sign, ha="center", va="center", fontsize=15)
    axes.text(place + 0.48, -0.1, row.exercise.number, ha="center", va="top", fontsize=8)
