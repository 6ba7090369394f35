"""Library functions that stand in for what a learner has not written yet, so that later pictures can be drawn."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from grader.exercise import find_exercise

_judging = False
_said: set[tuple[int, str]] = set()


def solved(function: Callable) -> Callable:
    """The learner's function, or, as long as it is a stub, what its exercise is compared with: the field's library.

    For a demo that needs an earlier exercise: `softmax = solved(softmax)`. A call of the stub says in one line, once a
    cell, that the library stands in. `check` sees through it, and while a notebook is graded it changes nothing.
    """
    own = own_function(function)
    if os.environ.get("NBGRADER_EXECUTION"):
        return own

    @functools.wraps(own)
    def either(*args: object, **kwargs: object) -> object:
        try:
            return own(*args, **kwargs)
        except NotImplementedError as error:
            if _judging or not _is_own(error, own):
                raise
        _say(own.__name__)
        return find_exercise(own.__name__).oracle(*args, **kwargs)

    either.stands_in_for = own
    return either


def own_function(function: Callable) -> Callable:
    """What the learner wrote, of what `solved` gave; anything else as it is."""
    return getattr(function, "stands_in_for", function)


@contextmanager
def judging() -> Iterator[None]:
    """While this lasts nothing stands in: an answer that needs an unwritten function is not yet an answer."""
    global _judging
    _judging = True
    try:
        yield
    finally:
        _judging = False


def _is_own(error: NotImplementedError, function: Callable) -> bool:
    """Whether the stub itself raised, not something that it called."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_code.co_name == function.__name__


def _say(name: str) -> None:
    try:
        from IPython import get_ipython

        cell = getattr(get_ipython(), "execution_count", 0)
    except ImportError:
        cell = 0
    if (cell, name) not in _said:
        _said.add((cell, name))
        print(f"{name} is not written yet: the library's stands in here.")
