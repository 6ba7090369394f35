"""The `grader` command: parses, calls, prints."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from grader.course import CourseError, course_root

app = typer.Typer(
    help="Sori's grader: release the course, check this machine, grade notebooks.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
console = Console()
complaints = Console(stderr=True)


_MARK = {"passed": "[green]✓ passed", "partial": "[yellow]◐ partial", "failed": "[red]✗ failed"}


@app.command()
def release(
    check: Annotated[bool, typer.Option("--check", help="Only say whether anything generated is stale.")] = False,
    repo: Annotated[str, typer.Option(help="owner/name on GitHub, for the badges and the set-up cells.")] = "",
    tag: Annotated[str, typer.Option(help="The tag or branch that the set-up cells fetch; by default main.")] = "",
) -> None:
    """Make every notebook from its source: solutions/*.ipynb, then the students' course/."""
    from grader import release as releasing

    root = course_root()
    if check:
        stale = releasing.stale_files(root)
        if stale:
            complaints.print("[red]Stale, run `grader release`:[/red]", *stale, sep="\n  ")
            raise typer.Exit(1)
        console.print("Every generated file is fresh.")
        return
    for name in releasing.release(root, repo, tag):
        console.print(f"[green]✓[/green] course/{name}/{name}.ipynb")


@app.command()
def progress(
    folder: Annotated[
        Path, typer.Argument(help="Where your notebooks are; by default here and in the course.")
    ] = Path(),
) -> None:
    """Show how far you are in all units, from what `check` remembers beside your notebooks."""
    from grader.lesson import lessons
    from grader.progress import found_under
    from grader.scorecard import next_step, rows_of

    records = found_under([folder, course_root(folder)])
    table = Table(title="Your progress", show_lines=False)
    for heading in ("Unit", "Solved", "", "Next step"):
        table.add_column(heading, overflow="fold")
    for lesson in lessons():
        rows = rows_of(lesson, records)
        done, begun = sum(row.done for row in rows), any(row.state != "not begun" for row in rows)
        squares = "".join("■" if row.done else "◧" if row.state == "not yet" else "□" for row in rows)
        step = next_step(lesson, rows).replace("`", "") if begun and done < len(rows) else ""
        table.add_row(lesson.title, f"{done} of {len(rows)}", f"[green]{squares}", step or ("✓" if begun else ""))
    console.print(table)
    console.print("■ solved   ◧ not yet   □ not begun.  Kept in .sori/progress.json; nothing leaves this machine.")


@app.command()
def score(
    notebook: Annotated[Path, typer.Argument(help="The notebook to grade.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    seed: Annotated[str, typer.Option(help="The seed that the inputs of the cases are drawn from.")] = "0",
    unit: Annotated[str, typer.Option(help="The unit; by default the one whose exercises the notebook holds.")] = "",
) -> None:
    """Grade one notebook: run it in a fresh kernel, ask all cases of its exercises, hidden ones too."""
    from grader import kernels, sandbox

    unconfined = sandbox.missing()
    if not unconfined:
        kernels.begin_to_warm()  # while this process imports torch itself
    from grader.course import load_unit, read_notebook, unit_of
    from grader.examiner import Graded, examine_notebook
    from grader.intake import mend

    root = course_root()
    found = read_notebook(notebook)
    name = unit_of(found, root)
    if unit and unit != name:
        raise CourseError(f"{notebook} holds the exercises of {name}, not of {unit}.")
    if unconfined:
        complaints.print(f"[yellow]No sandbox here ({unconfined}): it runs with your own rights.[/yellow]")
    definition = load_unit(root, name)
    mended = mend(found, definition)
    with _progress() as progress:
        what = f"Grading {name}{', which trains for some minutes' if definition.training else ''}"
        task = progress.add_task(what, total=len(mended.cells))
        graded: Graded = examine_notebook(
            mended,
            definition,
            seed,
            folder=notebook.resolve().parent,
            confined=not unconfined,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        print(json.dumps(graded.summary(), ensure_ascii=False))
        return
    summary = graded.summary()
    table = Table(
        title=f"{name}: {_points(summary['score'])} of {_points(summary['max_score'])} points", show_lines=False
    )
    for heading, justify in (
        ("Exercise", "left"),
        ("Points", "right"),
        ("Status", "left"),
        ("What to look at", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")
    for exercise, row in summary["exercises"].items():
        points = f"{_points(row['score'])} / {_points(row['max_score'])}"
        table.add_row(exercise, points, _MARK.get(row["status"], f"[red]✗ {row['status']}"), row["diagnosis"] or "")
    console.print(table)


@app.command()
def grade(
    units: Annotated[list[str], typer.Argument(help="The units to grade.")],
    student: Annotated[list[str], typer.Option(help="Only this student; may be given again.")] = [],  # noqa: B006
    jobs: Annotated[int, typer.Option(min=0, help="Notebooks run at once here; 0: up to one a core.")] = 0,
    scheduler: Annotated[str, typer.Option(help="tcp://… or tls://… of a Dask cluster that examines instead.")] = "",
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Run where student code cannot be confined.")] = False,
) -> None:
    """Grade what was handed in under gradebook/submitted and write it to the gradebook.

    Exit status 0 when every submission has a verdict, 1 when some have none; those that need a human are listed.
    A run that was cut short goes on where it stopped when the same command is given again.
    """
    from grader import kernels, sandbox

    if jobs == 1 and not sandbox.missing():
        kernels.begin_to_warm()  # while this process imports torch itself
    from grader.grading import Settings, Submission, grade_class, handed_in

    root = course_root()
    submissions = handed_in(root, units, student)
    if not submissions:
        raise CourseError(f"Nothing to grade: gradebook/submitted holds no folder STUDENT/{units[0]}.")
    with _progress("submissions") as progress:
        task = progress.add_task("Grading", total=len(submissions))

        def tell(one: Submission) -> None:
            progress.update(task, description=f"{one.unit}: {one.student}", advance=1)

        settings = Settings(jobs=jobs, scheduler=scheduler, unsafe=unsafe)
        graded = grade_class(root, submissions, settings, tell, lambda text: progress.update(task, description=text))
    table = Table(title="Graded", show_lines=False)
    for heading, justify in (("Unit", "left"), ("Student", "left"), ("Points", "right"), ("Needs a human", "left")):
        table.add_column(heading, justify=justify, overflow="fold")
    for one in graded:
        table.add_row(one.unit, one.student, f"{_points(one.score)} / {_points(one.max_score)}", one.trouble)
    console.print(table)
    human = sum(bool(one.trouble) for one in graded)
    without = sum(not one.has_verdict for one in graded)
    console.print(f"{len(graded) - without} graded{f'; {human} need a human' if human else ''}.")
    if without:
        complaints.print(f"[red]{without} of {len(graded)} without a verdict: the same command tries them again.[/red]")
        raise typer.Exit(1)


@app.command()
def report(
    units: Annotated[list[str] | None, typer.Argument(help="The units; by default all that were handed in.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to; by default gradebook/report.")] = None,
) -> None:
    """What the class got right and wrong: a page to read or print, and the same numbers as CSV."""
    from grader.report import read_reports, write_tables
    from grader.report_page import write_page

    root = course_root()
    folder = out or root / "gradebook" / "report"
    if folder.is_file():
        raise CourseError(f"{folder} is a file; --out takes the name of a folder.")
    with _progress("submissions") as progress:
        task = progress.add_task("Reading", total=None)
        reports = read_reports(root, units, lambda done, total: progress.update(task, completed=done, total=total))
    tables = write_tables(reports, folder)
    page = write_page(reports, folder / "index.html")
    table = Table(title="The class")
    for heading in ("Unit", "Handed in", "Graded", "Median", "Most common mistake"):
        named = heading in ("Unit", "Most common mistake")
        table.add_column(heading, justify="left" if named else "right", overflow="fold")
    for unit in reports:
        most = f"{unit.mistakes[0].exercise}: {unit.mistakes[0].says}" if unit.mistakes else "none found"
        median = f"{_points(unit.quartiles[1])} / {_points(unit.max_score)}"
        table.add_row(unit.name, str(len(unit.results)), str(len(unit.graded)), median, escape(most))
    console.print(table)
    console.print(f"{page} and {', '.join(one.name for one in tables)}", soft_wrap=True)


@app.command()
def export(
    unit: Annotated[str, typer.Argument(help="The unit.")],
    to: Annotated[str, typer.Option(help="Grades as CSV in the columns that canvas or moodle imports.")] = "",
    feedback: Annotated[bool, typer.Option("--feedback", help="Feedback as one zip, a page a student.")] = False,
    column: Annotated[str, typer.Option(help="With --to: the assignment's name there; by default the unit's.")] = "",
    worksheet: Annotated[
        Path | None, typer.Option(help="With --feedback: Moodle's grading worksheet, for names that Moodle hands out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; by default in gradebook/export.")] = None,
) -> None:
    """Grades or feedback for a learning management system."""
    from grader.export import export_feedback, export_grades

    root = course_root()
    folder = root / "gradebook" / "export"
    if bool(to) is feedback:
        raise CourseError("Say what to export: either --to canvas, --to moodle, or --feedback.")
    if out and out.is_dir():
        raise CourseError(f"{out} is a folder; --out takes the name of a file.")
    if to:
        done = export_grades(root, unit, to, out or folder / f"{unit}_{to}.csv", column)
    else:
        done = export_feedback(root, unit, out or folder / f"{unit}_feedback.zip", worksheet)
    console.print(f"{done.path}: {done.students} students", soft_wrap=True, highlight=False)
    if done.left_out:
        complaints.print(f"[yellow]Left out:[/yellow] {escape(', '.join(done.left_out))}", highlight=False)


@app.command()
def similar(
    unit: Annotated[str, typer.Argument(help="The unit.")],
    show: Annotated[int, typer.Option(min=1, help="How many pairs to list.")] = 20,
) -> None:
    """Pairs of submissions that are unusually alike: places to look, not a verdict."""
    from grader.similar import similar_pairs

    with _progress("submissions") as progress:
        task = progress.add_task("Reading", total=None)
        pairs = similar_pairs(
            course_root(), unit, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if not pairs:
        console.print("No two submissions share more than is usual.")
        return
    table = Table(title=f"Where to look: {min(show, len(pairs))} of {len(pairs)} pairs that share code of their own")
    for heading, justify in (
        ("Students", "left"),
        ("Alike", "right"),
        ("Look at (line in the first, in the second)", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")
    for pair in pairs[:show]:
        places = ", ".join(f"{one.exercise} ({one.lines[0]}, {one.lines[1]})" for one in pair.places)
        table.add_row(escape(" and ".join(pair.students)), f"{pair.alike:.0%}", escape(places))
    console.print(table)
    console.print(
        "A place to look, not a verdict: two people can write the same few lines. What the notebook gives and what "
        "many in the class write alike does not count; names and comments do not either."
    )


@app.command()
def audit(
    unit: Annotated[str, typer.Argument(help="One unit; by default all.")] = "",
) -> None:
    """Test the tests: each exercise must accept what is right, and reject and name every known mistake."""
    from grader.audit import audit_all

    table = Table(title="Audit of the hidden tests")
    headings = ("Unit", "Exercise", "Cases", "Mistakes rejected and named", "Alternatives accepted", "")
    for heading in headings:
        names = heading in ("Unit", "Exercise", "")
        table.add_column(heading, justify="left" if names else "right", no_wrap=names)
    problems: list[str] = []
    with console.status("Auditing") as status:
        for row in audit_all(course_root(), unit or None):
            status.update(f"Audited {row.exercise}")
            mark = "[red]✗" if row.problems else "[green]✓"
            named, accepted = f"{row.named}/{row.misconceptions}", f"{row.accepted}/{row.alternatives}"
            table.add_row(row.unit, row.exercise, str(row.cases), named, accepted, mark)
            problems += [f"{row.exercise}: {problem}" for problem in row.problems]
    if not table.rows:
        raise CourseError(f"There are no exercises in unit {unit!r}.")
    console.print(table)
    for problem in problems:
        complaints.print(f"[red]✗[/red] {problem}", highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say whether this machine is ready and, where it is not, what to do. Exit status 1 if something must be mended."""
    from grader.doctor import findings

    marks = {"ok": "[green]✓", "warn": "[yellow]!", "fail": "[red]✗"}
    table = Table(title="Is this machine ready?", show_lines=False)
    for heading in ("", "What", "Found", "What to do"):
        table.add_column(heading, overflow="fold")
    found = findings()
    for finding in found:
        table.add_row(marks[finding.state], finding.name, finding.found, finding.advice)
    console.print(table)
    failed = sum(finding.state == "fail" for finding in found)
    if failed:
        complaints.print(f"[red]{failed} to mend.[/red]")
        raise typer.Exit(1)
    console.print("Ready.")


@app.command()
def demo() -> None:
    """See it all once: release, a small class hands in, grading, the gradebook, the class's mistakes, feedback."""
    from grader.demo import run_demo

    run_demo(console)


def main() -> None:
    """Run the command; a mistake of the user's is one sentence, never a traceback."""
    try:
        app()
    except CourseError as error:
        complaints.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)


def _progress(what: str = "cells") -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn(f"{{task.completed}}/{{task.total}} {what}"),
        TimeElapsedColumn(), console=complaints, transient=True,
    )  # fmt: skip


def _points(value: float) -> str:
    return f"{value:g}"


if __name__ == "__main__":
    main()
