"""From answers to a verdict: asks an exercise's cases, compares, counts the groups that pass.

Judging never runs the learner's code: it calls `ask`, which may put the question to the same process (a
learner's own `check`) or to a kernel elsewhere (grading).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch

from grader.answer import answer, flatten, is_floating
from grader.compare import Difference, compare
from grader.diagnose import diagnose
from grader.draw import Draw
from grader.exercise import Answer, Case, Exercise, ExerciseError, Question, Tolerance, Wrong
from grader.verdict import Exchange, Outcome, Verdict

#: Draws the practice cases; public, so that everyone sees the same ones.
PRACTICE_SEED = "practice"

_UNTOUCHED = Case("arguments left as they were", lambda draw: None, "arguments", True, True, False, 0.0)

Ask = Callable[[Question], Answer]


def judge(exercise: Exercise, ask: Ask, seed: int | str = PRACTICE_SEED, practice: bool = False) -> Verdict:
    """Ask the cases (only the practice ones if `practice`), on inputs drawn from `seed`.

    After a call that ran out of time, found nothing to call, or lost its kernel, no further question is put:
    the remaining cases fail for the same reason. An `ask` with a method `expect` is told beforehand which questions
    will come, as far as that is known.
    """
    expect = getattr(ask, "expect", None)
    if expect:
        expect(_plain_questions(exercise, seed, practice))
    outcomes: list[Outcome] = []
    stopped: Difference | None = None
    for case in exercise.cases:
        if practice and not case.practice:
            continue
        if stopped is None:
            outcome = _try(exercise, case, ask, seed)
            if outcome is None:
                continue
            if outcome.finding is not None and outcome.finding.kind in ("time", "missing", "kernel"):
                stopped = outcome.finding
        else:
            outcome = Outcome(case, stopped)
        outcomes.append(outcome)
    outcomes += _arguments_outcome(outcomes)
    return Verdict(exercise.name, exercise.unit, tuple(outcomes), diagnose(exercise, outcomes))


def leaf_names(question: Question) -> list[str]:
    """What the floating tensors in a question's arguments are called, in order."""
    names = [
        f"argument {i}{path}" for i, one in enumerate(question.args, 1) for path, t in flatten(one) if is_floating(t)
    ]
    for key, one in question.kwargs.items():
        names += [f"argument {key!r}{path}" for path, tensor in flatten(one) if is_floating(tensor)]
    return names


def _try(exercise: Exercise, case: Case, ask: Ask, seed: int | str) -> Outcome | None:
    """How one case goes; None for the gradients of a case in which an error is due."""
    if case.is_property:
        return _hold(exercise, case, ask, seed)
    prepared = _prepare(exercise, case, seed)
    if prepared is None:
        return None
    question, expected = prepared
    exchange = Exchange(question, ask(question), expected)
    return Outcome(case, _finding(exchange, exercise.tolerance), (exchange,))


def _plain_questions(exercise: Exercise, seed: int | str, practice: bool) -> list[Question]:
    """The questions of all cases that are no properties, in order."""
    cases = [case for case in exercise.cases if not case.is_property and (case.practice or not practice)]
    return [prepared[0] for case in cases if (prepared := _prepare(exercise, case, seed))]


@lru_cache(maxsize=1024)  # more than the cases of a unit: a class is asked the same questions
def _prepare(exercise: Exercise, case: Case, seed: int | str) -> tuple[Question, Answer] | None:
    """A case's question and the oracle's answer; a gradient case draws the inputs of the case that it comes from."""
    draw = _draw(exercise, case, seed)
    question = replace(_question(case.make(draw)), forbids=exercise.forbids, seconds=case.seconds)
    if case.name.endswith("/gradient"):
        cotangents = _cotangents(exercise, question, draw)
        if cotangents is None:
            return None
        question = replace(question, cotangents=cotangents)
    return question, _expected(exercise, question)


def _draw(exercise: Exercise, case: Case, seed: int | str) -> Draw:
    return Draw(seed, exercise.unit, exercise.name, case.name.removesuffix("/gradient"))


def _arguments_outcome(outcomes: list[Outcome]) -> list[Outcome]:
    """The group that every function with arguments it could change has: whether it left them as they were."""
    exchanges = [exchange for outcome in outcomes for exchange in outcome.exchanges if exchange.got.error is None]
    if not any(_mutable(exchange.question) for exchange in exchanges):
        return []
    guilty = [exchange for exchange in exchanges if exchange.got.modified]
    finding = None
    if guilty:
        changed = " and ".join(guilty[0].got.modified)
        finding = Difference("modified", f"it changed {changed}; a function leaves its arguments as they were")
    return [Outcome(_UNTOUCHED, finding)]


def _mutable(question: Question) -> bool:
    values = [*question.args, *question.kwargs.values()]
    return any(isinstance(value, torch.Tensor | list | dict) for value in values)


def _question(made: Any) -> Question:
    if isinstance(made, Question):
        return made
    return Question(args=made if isinstance(made, tuple) else (made,))


def _expected(exercise: Exercise, question: Question) -> Answer:
    """The oracle's answer, which may be a ValueError; any other error is our fault."""
    expected = answer(exercise.oracle, replace(question, forbids=(), seconds=60.0))
    if expected.error not in (None, "ValueError"):
        raise ExerciseError(f"the oracle of {exercise.name} failed: {expected.error}: {expected.message}")
    return expected


def _cotangents(exercise: Exercise, question: Question, draw: Draw) -> tuple[torch.Tensor, ...] | None:
    """One random tensor for each floating tensor in the oracle's result; None where the oracle raises."""
    expected = _expected(exercise, question)
    if expected.error is not None:
        return None
    results = [result for _, result in flatten(expected.value) if is_floating(result)]
    return tuple(draw.normal(*result.shape).to(result.dtype) for result in results)


def _hold(exercise: Exercise, case: Case, ask: Ask, seed: int | str) -> Outcome:
    """Run a property to its end: it may be broken, or a call inside it may fail."""
    conversation = case.make(_draw(exercise, case, seed))
    exchanges: list[Exchange] = []

    def run() -> Difference | None:
        made = next(conversation)
        while True:
            question = replace(_question(made), forbids=exercise.forbids, seconds=case.seconds)
            exchanges.append(Exchange(question, ask(question)))
            trouble = _trouble(exchanges[-1].got)
            if trouble is not None:
                return trouble
            made = conversation.send(exchanges[-1].got)

    try:
        finding = run()
    except StopIteration:
        finding = None
    except Wrong as wrong:
        finding = Difference("property", str(wrong))
    except (TypeError, AttributeError, IndexError, KeyError, RuntimeError, ValueError) as error:
        finding = Difference("type", f"the result is not of the form that the docstring asks for ({error})")
    finally:
        conversation.close()
    return Outcome(case, finding, tuple(exchanges))


def _finding(exchange: Exchange, tolerance: Tolerance) -> Difference | None:
    got, expected = exchange.got, exchange.expected
    assert expected is not None
    if expected.error is not None:
        if got.error == expected.error:
            return None
        if got.error is None:
            returned = "None" if got.value is None else "a value"
            return Difference("no_error", f"it should raise {expected.error}, but it returned {returned}")
        trouble = _trouble(got)
        if trouble is not None and trouble.kind == "raised":
            return Difference("other_error", f"it should raise {expected.error}; {trouble.says}")
        return trouble
    trouble = _trouble(got)
    if trouble is not None:
        return trouble
    if got.value is None and expected.value is not None:
        return Difference("none", "it returned None")
    difference = compare(got.value, expected.value, tolerance)
    if difference is not None:
        return difference
    if exchange.question.cotangents is not None:
        return _gradient_finding(exchange, tolerance)
    return None


def _trouble(got: Answer) -> Difference | None:
    """How a call failed to give a value at all."""
    if got.error is None:
        return None
    if got.timed_out:
        return Difference(
            "time",
            f"{got.message}: does a loop never end, or is the same worked out again and again?",
        )
    own_stub = got.line.startswith("line ") and "raise NotImplementedError" in got.line
    if got.error == "NotImplementedError" and got.line and not own_stub:
        return Difference("blocked", f"it calls something that is not written yet ({got.line})")
    if got.error in ("Missing", "NotImplementedError"):
        return Difference(
            "missing",
            "it is not written yet" if got.error != "Missing" else f"it is not there: {got.message}",
        )
    if got.error == "KernelError":
        return Difference("kernel", got.message)
    place = f" ({got.line})" if got.line else ""
    return Difference("raised", f"it raised {got.error}: {got.message or 'no message'}{place}")


def _gradient_finding(exchange: Exchange, tolerance: Tolerance) -> Difference | None:
    assert exchange.expected is not None
    names = leaf_names(exchange.question)
    wanted = exchange.expected.gradients or ()
    got = exchange.got.gradients
    if got is None or len(got) != len(wanted):
        return Difference("gradient", "its gradients cannot be taken")
    loose = Tolerance(atol=max(tolerance.atol, 1e-5), rtol=max(tolerance.rtol, 1e-3))
    for name, one, other in zip(names, got, wanted, strict=True):
        if one is None and other is not None and other.any():
            return Difference("no_gradient", f"no gradient reaches {name}")
        if one is None:
            continue
        target = torch.zeros_like(one) if other is None else other
        difference = compare(one, target, loose, f"the gradient for {name}")
        if difference is not None:
            return Difference("gradient", difference.says, difference.detail)
    return None
