"""The whole course life in one minute or two: release, a small class hands in, grading, feedback."""

import inspect
import re
import shutil
import tempfile
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from grader.course import course_root, grade_id, read_notebook
from grader.exercise import find_exercise
from grader.gradebook import hand_in, nbgrader_api
from grader.grading import Settings, Submission, grade_class
from grader.release import release
from grader.report import read_reports, write_tables
from grader.report_page import write_page

UNIT = "02_attention"
_VIEW_ONLY = """
B, T, D = x.shape
if D % n_heads:
    raise ValueError("the heads do not divide D")
return x.reshape(B, n_heads, T, D // n_heads)
"""


@dataclass(frozen=True)
class Student:
    """One member of the demo's class: which exercises they got wrong and how; the rest they solved.

    `mistakes` maps an exercise to one of its misconceptions, `code` to a body of their own.
    """

    name: str
    about: str
    mistakes: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    solves: bool = True
    notebook: bool = True


CLASS = (
    Student("ada", "solved everything"),
    Student("bora", "handed in an untouched notebook", solves=False),
    Student("chul", "forgot to divide by √d", mistakes={"attention_scores": "unscaled_scores"}),
    Student("dana", "lets every frame see the future only", mistakes={"causal_mask": "upper_triangle"}),
    Student("emre", "raises an error", code={"padding_mask": "return lengths[T]"}),
    Student("fatma", "loops for ever", code={"causal_mask": "while True:\n    pass"}),
    Student("goran", "handed in something that is no notebook", notebook=False),
    Student(
        "hana",
        "forgot √d too, and the transpose",
        mistakes={"attention_scores": "unscaled_scores"},
        code={"split_heads": _VIEW_ONLY},
    ),
)


def run_demo(console: Console) -> None:
    """Release a unit on a scratch copy of the course, grade a class, print what an instructor would look at."""
    source = course_root()
    root = Path(tempfile.mkdtemp(prefix="sori-demo-"))
    console.print(f"Working on a scratch copy in {root}; your checkout stays as it is.")
    (root / "solutions" / UNIT).mkdir(parents=True)
    shutil.copy(source / "solutions" / UNIT / f"{UNIT}.py", root / "solutions" / UNIT)
    shutil.copy(source / "nbgrader_config.py", root)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        task = progress.add_task("Releasing", total=2 * len(CLASS) + 1)
        release(root)
        progress.advance(task)
        solved = read_notebook(root / "solutions" / UNIT / f"{UNIT}.ipynb")
        released = read_notebook(root / "course" / UNIT / f"{UNIT}.ipynb")
        for student in CLASS:
            hand_in(root, UNIT, student.name, _submission(student, solved, released))
        who = {student.name: student.about for student in CLASS}

        def tell(submission: Submission) -> None:
            description = f"Graded {submission.student}, who {who[submission.student]}"
            progress.update(task, description=description, advance=1)

        # the demo's class is ours: it may run where there is no sandbox
        settings = Settings(unsafe=True, cell_seconds=10.0)
        graded = grade_class(root, [(UNIT, student.name) for student in CLASS], settings, tell)
        api = nbgrader_api(root)
        for submission in graded:
            progress.update(task, description=f"Writing feedback for {submission.student}")
            api.generate_feedback(UNIT, submission.student)
            progress.advance(task)
    _print(console, root, graded)


def _submission(student: Student, solved: NotebookNode, released: NotebookNode) -> str:
    """What the student hands in, as the text of a file."""
    if not student.notebook:
        return "Dear teacher, the notebook would not save, so I copied the text.\n"
    answers = {grade_id(cell): cell.source for cell in solved.cells if grade_id(cell)}
    notebook = nbformat.from_dict(released)
    for cell in notebook.cells:
        name = grade_id(cell)
        if cell.metadata.get("nbgrader", {}).get("solution") and student.solves:
            cell.source = _answer(student, name, answers[name])
    return nbformat.writes(notebook)


def _answer(student: Student, name: str, right: str) -> str:
    if name in student.code:
        signature = re.search(r"def .*?:\n", right, re.DOTALL)
        assert signature is not None
        return signature[0] + textwrap.indent(student.code[name].strip(), "    ")
    if name in student.mistakes:
        wrong = next(one for one in find_exercise(name).misconceptions if one.name == student.mistakes[name])
        body = inspect.getsource(wrong.function)
        return f"def {name}" + body[body.index(f"def {wrong.name}") + len(f"def {wrong.name}") :]
    return right


def _print(console: Console, root: Path, graded: list[Submission]) -> None:
    table = Table(title=f"Gradebook, {UNIT}")
    for heading, justify in (("Student", "left"), ("who", "left"), ("Points", "right"), ("Mistakes found", "left")):
        table.add_column(heading, justify=justify, overflow="fold")
    for student, submission in zip(CLASS, graded, strict=True):
        points = f"{submission.score:g} / {submission.max_score:g}"
        table.add_row(student.name, student.about, points, _found(submission))
    console.print(table)
    common = Table(title="The class's most common mistakes")
    for heading in ("Students", "Exercise", "Mistake"):
        common.add_column(heading, justify="right" if heading == "Students" else "left", overflow="fold")
    reports = read_reports(root, [UNIT])
    for mistake in reports[0].mistakes[:8]:
        common.add_row(str(mistake.students), mistake.exercise, escape(mistake.says))
    console.print(common)
    write_tables(reports, root / "gradebook" / "report")
    page = write_page(reports, root / "gradebook" / "report" / "index.html")
    console.print(f"The report, for a browser: {page}", soft_wrap=True)
    feedback = root / "gradebook" / "feedback"
    console.print(f"Feedback, one page a student: {feedback}/STUDENT/{UNIT}/{UNIT}.html", soft_wrap=True)
    console.print("Next: `make lab` opens the course; README.md says how to run your own class.")


def _found(submission: Submission) -> str:
    """A line on what is wrong with a submission."""
    if submission.trouble:
        return f"[yellow]needs a human:[/yellow] {submission.trouble}"
    written = [record for record in submission.records if record["status"] != "missing"]
    names = [f"{record['exercise']}: {record['mistake']}" for record in written if record["mistake"]]
    missing = len(submission.records) - len(written)
    return "; ".join(names + [f"{missing} not written"] * bool(missing)) or "none"
