"""What a notebook calls: `check` answers a learner at once, `examine` is the hidden test of a trusted class."""

import os
from collections.abc import Callable

from grader import render
from grader.answer import answer
from grader.exercise import Exercise, ExerciseError, find_exercise
from grader.judge import judge
from grader.verdict import Verdict


class NotSolvedError(AssertionError):
    """An exercise does not pass, and nbgrader's Validate needs to be told by an error."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it; a traceback would lead the learner into our code
        return [str(self)]


def check(function: Callable) -> None:
    """Try the practice cases of the exercise that `function` is named after and show how they went.

    Shows one line for each group of cases; after a wrong answer the mistake, a hint, and expected beside yours.
    It never raises for what the function does, except under nbgrader's Validate, which needs to be told. While
    a notebook is being graded it is silent: the verdict follows, from outside.
    """
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return
    try:
        verdict = judge(_exercise(function), lambda question: answer(function, question), practice=True)
    except ExerciseError as error:
        print(f"check: {error}")
        return
    except Exception as error:  # our own fault: say so in one line, never a traceback of ours
        print(f"check could not finish, and that is not your fault ({type(error).__name__}: {error}).")
        return
    show_verdict(verdict)
    if verdict.status != "passed" and os.environ.get("NBGRADER_EXECUTION") == "validate":
        says = verdict.diagnosis.says if verdict.diagnosis else "not all cases pass"
        raise NotSolvedError(f"{verdict.exercise}: {says}")


def examine(function: Callable) -> float:
    """Try all cases, hidden ones too, inside this process; show the verdict and return the points earned.

    For classes that are trusted: plain nbgrader runs it in the learner's kernel and takes the last value of the
    cell as partial credit. Inputs are drawn from the instructor's seed.
    """
    from grader.course import course_root, load_unit
    from grader.seed import grading_seed

    exercise = _exercise(function)
    root = course_root()
    verdict = judge(exercise, lambda question: answer(function, question), grading_seed(root))
    show_verdict(verdict)
    return verdict.earned(load_unit(root, exercise.unit).points[exercise.name])


def show_verdict(verdict: Verdict) -> None:
    """Display a verdict: HTML in Jupyter, plain text elsewhere."""
    text = render.as_text(verdict)
    if _in_notebook():
        from IPython.display import display

        display({"text/plain": text, "text/html": render.as_html(verdict)}, raw=True)
    else:
        print(text)


def _exercise(function: Callable) -> Exercise:
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str):
        raise ExerciseError(
            f"give it your function itself, as in check(softmax); it got {type(function).__name__} instead."
        )
    return find_exercise(name)


def _in_notebook() -> bool:
    """Whether an IPython kernel that can show HTML runs this."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
