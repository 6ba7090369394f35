"""`python -m website [UNIT …]`: build the site of all units, or of some."""

import sys

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from grader.course import CourseError, course_root, unit_names
from website.build import build_site

console = Console(stderr=True)


def main(units: list[str] = typer.Argument(None, help="By default all.")) -> None:  # noqa: B008
    """Build the course's site into build/site."""
    root = course_root()
    known = unit_names(root)
    for unit in units or []:
        if unit not in known:
            raise CourseError(f"There is no unit {unit!r}. The units are {', '.join(known)}.")
    target = root / "build" / "site"
    chosen = [unit for unit in known if not units or unit in units]
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} cells"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        tasks = {}

        def tell(unit: str, done: int, total: int) -> None:
            if unit not in tasks:
                tasks[unit] = progress.add_task(f"Running {unit}", total=total)
            progress.update(tasks[unit], completed=done)

        build_site(root, chosen, target, tell)
    console.print(f"[green]✓[/green] {len(chosen)} units: open {target / 'index.html'}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except CourseError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)
