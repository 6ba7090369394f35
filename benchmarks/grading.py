"""The same class graded by plain nbgrader and by `grader grade`, in turns: seconds a submission, and the ratio.

`python benchmarks/grading.py [--students 40] [--unit 02_attention] [--rounds 4]`; its last line is one JSON object.
Half of the class solved everything, the others each made one of the unit's known mistakes. Plain nbgrader runs the
hidden tests in the student's kernel (`Execute`, as for a class that is trusted), and every demo cell. A round grades a
share of the class with the one, then the same share with the other, so that both meet the same machine.
"""

import argparse
import inspect
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FunctionType

import nbformat
from rich.console import Console
from rich.table import Table

from grader.course import course_root, grade_id, read_notebook
from grader.exercise import exercises_of
from grader.gradebook import hand_in
from grader.release import release

SEED = "of the benchmark"


def make_course(place: Path, unit: str, *, plain: bool) -> Path:
    """A course with one unit; plain nbgrader's gets `Execute` and knows nothing of the examiner."""
    source = course_root()
    (place / "solutions" / unit).mkdir(parents=True)
    shutil.copy(source / "solutions" / unit / f"{unit}.py", place / "solutions" / unit)
    config = (source / "nbgrader_config.py").read_text(encoding="utf-8")
    if plain:
        config = config.replace("grader.autograde.Examine", "nbgrader.preprocessors.Execute")
        config = config.replace('    "grader.intake.Mend",\n', "")
    (place / "nbgrader_config.py").write_text(config, encoding="utf-8")
    release(place)
    return place


def submissions(root: Path, unit: str, students: int, rounds: int) -> dict[str, str]:
    """Who hands in what: every second one solved everything, the others made one known mistake each.

    A name begins with the round in which it is graded.
    """
    solved = read_notebook(root / "solutions" / unit / f"{unit}.ipynb")
    answers = {grade_id(cell): cell.source for cell in solved.cells if grade_id(cell)}
    every = [(one.name, wrong) for one in exercises_of(unit) for wrong in one.misconceptions]
    mistakes = [(name, wrong) for name, wrong in every if _stands_alone(wrong.function)]
    handed: dict[str, str] = {}
    for number in range(students):
        notebook = read_notebook(root / "course" / unit / f"{unit}.ipynb")
        name, wrong = mistakes[number * len(mistakes) // students]
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = answers[grade_id(cell)]
            if grade_id(cell) == name and number % 2:
                cell.source += f"\n\n{_renamed(wrong.function, name)}"
        handed[f"round{number % rounds}-student{number:03}"] = nbformat.writes(notebook)
    return handed


def _stands_alone(function: FunctionType) -> bool:
    """Whether it uses nothing of the exercises' module but the libraries that a notebook has, too."""
    return set(function.__code__.co_names) & set(function.__globals__) <= {"math", "torch"}


def _renamed(function: object, name: str) -> str:
    """A misconception's source as a function of the exercise's name."""
    source = inspect.getsource(function)
    start = source.index("def ")
    return source[start:].replace(f"def {function.__name__}", f"def {name}", 1)


def grade_plain(root: Path, unit: str, students: list[str]) -> float:
    """Seconds that one `nbgrader autograde` takes for these students."""
    pattern = students[0].partition("-")[0] + "-*"
    return _timed(root, [sys.executable, "-m", "nbgrader", "autograde", unit, f"--student={pattern}"])


def grade_ours(root: Path, unit: str, students: list[str]) -> float:
    """Seconds that one `grader grade` takes for these students."""
    options = [f"--student={student}" for student in students]
    return _timed(root, [sys.executable, "-m", "grader.cli", "grade", unit, "--jobs=1", *options])


def _timed(root: Path, command: list[str]) -> float:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "GRADER_SEED": SEED, "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)  # noqa: S603
    seconds = time.perf_counter() - began
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{run.stderr[-3000:]}")
    return seconds


def scores(root: Path, unit: str) -> dict[str, float]:
    """Everybody's score, from the gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook/gradebook.db") as gradebook:
        return {one.student.id: one.score for one in gradebook.assignment_submissions(unit)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--unit", default="02_attention")
    asked = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="sori-benchmark-") as place:
        roots = {kind: make_course(Path(place) / kind, asked.unit, plain=kind == "plain") for kind in ("plain", "ours")}
        handed = submissions(roots["ours"], asked.unit, asked.students, asked.rounds)
        for root in roots.values():
            for student, text in handed.items():
                hand_in(root, asked.unit, student, text)
        spent = {"plain": 0.0, "ours": 0.0}
        graders = {"plain": grade_plain, "ours": grade_ours}
        names = list(handed)
        for number in range(asked.rounds):
            share = names[number :: asked.rounds]
            for kind, grade in graders.items():
                seconds = grade(roots[kind], asked.unit, share)
                spent[kind] += seconds
                console.print(f"round {number + 1}: {kind:5} {seconds / len(share):6.2f} s a submission")
        found = {kind: scores(root, asked.unit) for kind, root in roots.items()}
    differ = [name for name in names if abs(found["plain"][name] - found["ours"][name]) > 1e-6]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    each = {kind: seconds / len(names) for kind, seconds in spent.items()}
    table = Table(title=f"{len(names)} notebooks of {asked.unit}, one job")
    for heading in ("", "seconds a submission"):
        table.add_column(heading, justify="right")
    for kind, seconds in each.items():
        table.add_row(kind, f"{seconds:.2f}")
    console.print(table)
    report = {
        "seconds_plain": round(each["plain"], 3),
        "seconds_ours": round(each["ours"], 3),
        "ratio": round(each["plain"] / each["ours"], 2),
        "submissions": len(names),
        "scores_that_differ": differ,
        "peak_memory_mib_of_any_process": round(peak),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
