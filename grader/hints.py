"""Which of an exercise's folded hints a learner is offered after wrong answers, and how they are shown."""

from dataclasses import dataclass
from html import escape

from grader.lesson import Announced, Lesson, read_lesson
from grader.progress import Record

#: How many different wrong answers unfold one more.
PER_HINT = 2


@dataclass(frozen=True)
class Offer:
    """The hints offered so far, as heading and Markdown text, and after the last one where the solved notebook is."""

    exercise: Announced
    hints: tuple[tuple[str, str], ...]
    solved: str = ""

    def as_markdown(self) -> str:
        """Each hint folded, as in the exercise's own text; then the way to the solved notebook."""
        parts = [f"<details><summary>{title}</summary>\n\n{text}\n\n</details>" for title, text in self.hints]
        if self.solved.startswith("https://"):
            parts.append(f"Still stuck? That happens to everybody. [The solved notebook]({self.solved}) shows one way.")
        elif self.solved:
            parts.append(f"Still stuck? That happens to everybody. One way is in `{escape(self.solved)}`.")
        return "\n".join(parts)

    def as_text(self) -> str:
        """One line for each, without the hints themselves: they are folded under the exercise's text."""
        lines = [f"  {title} (folded under exercise {self.exercise.number})" for title, _ in self.hints]
        return "\n".join([*lines, f"  The solved notebook: {self.solved}"] if self.solved else lines)


def offer(name: str, record: Record) -> Offer | None:
    """What the learner of that exercise is offered now; None for nothing, as always once it has been solved."""
    due = len(record.failed) // PER_HINT
    if record.solved or record.status in ("passed", "missing") or not due:
        return None
    try:
        lesson: Lesson = read_lesson(record.unit)
    except (OSError, ValueError):  # the package without its course: the hints are in the learner's notebook
        return None
    exercise = next((one for one in lesson.exercises if one.name == name), None)
    if exercise is None:
        return None
    return Offer(exercise, exercise.hints[:due], lesson.solved if due > len(exercise.hints) else "")
