"""What a notebook calls: `check` answers a learner at once, `examine` is the hidden test of a trusted class."""

import os
from collections.abc import Callable

from grader import hints, progress, render
from grader.answer import answer
from grader.exercise import Exercise, ExerciseError, find_exercise
from grader.judge import judge
from grader.picture import present
from grader.standin import judging, own_function
from grader.verdict import Verdict


class NotSolvedError(AssertionError):
    """An exercise does not pass, and nbgrader's Validate needs to be told by an error."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it; a traceback would lead the learner into our code
        return [str(self)]


def check(function: Callable) -> None:
    """Try the practice cases of the exercise that `function` is named after and show how they went.

    Shows one line for each group of cases; after a wrong answer the mistake, a hint, and expected beside yours;
    after several different ones the exercise's folded hints, one by one. It remembers how it went, for `scorecard`.
    It never raises for what the function does, except under nbgrader's Validate, which needs to be told. While
    a notebook is being graded it is silent: the verdict follows, from outside.
    """
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return
    try:
        own = own_function(function)
        exercise = _exercise(own)
        with judging():
            verdict = judge(exercise, lambda question: answer(own, question), practice=True)
        show_verdict(verdict)
        _remember(verdict, own)
    except ExerciseError as error:
        print(f"check: {error}")
        return
    except Exception as error:  # our own fault: say so in one line, never a traceback of ours
        print(f"check could not finish, and that is not your fault ({type(error).__name__}: {error}).")
        return
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
    present({"text/plain": render.as_text(verdict), "text/html": render.as_html(verdict)})


def _remember(verdict: Verdict, function: Callable) -> None:
    """Note how it went, and offer the hints that are due."""
    offer = hints.offer(verdict.exercise, progress.note(verdict, function))
    if offer is not None:
        present({"text/plain": offer.as_text(), "text/markdown": offer.as_markdown()})


def _exercise(function: Callable) -> Exercise:
    name = getattr(function, "__name__", None)
    if not callable(function) or not isinstance(name, str):
        raise ExerciseError(
            f"give it your function itself, as in check(softmax); it got {type(function).__name__} instead."
        )
    return find_exercise(name)
