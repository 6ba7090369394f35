"""From a wrong answer to the mistake that makes it.

A catalogued misconception is named where it gives the learner's own wrong answers on the same inputs. Otherwise
the form of the answer is looked at: nothing returned, another type, transposed, a constant factor.
"""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch

from grader.answer import answer
from grader.compare import Difference, close, compare
from grader.exercise import GRADIENT, Answer, Exercise, Misconception, Question, Tolerance
from grader.verdict import Diagnosis, Outcome

#: How many failed, and how many passed, cases a misconception is tried on.
MAX_FAILED, MAX_PASSED = 8, 12

#: What the misconceptions answered, as long as the question is remembered.
_answers: WeakKeyDictionary[Question, dict[str, Answer]] = WeakKeyDictionary()

#: For each kind of finding: what to call the mistake, and what helps.
_FORMS = {
    "missing": ("not written yet", "Replace `raise NotImplementedError` with your code, then run the cell again."),
    "time": (
        "takes too long",
        "Try it on a tiny input. What takes long: a loop without an end, work done again that could be kept in a "
        "table, or many small steps where one tensor operation (or one list) would do?",
    ),
    "none": ("returns nothing", "Is there a `return`? A function without one gives back None."),
    "modified": (
        "changes its arguments",
        "Work on a copy, `x = x.clone()`, and avoid `+=` and `x[...] =` on what you were given.",
    ),
    "no_gradient": (
        "the gradient stops",
        "Something cuts the graph: `.detach()`, `.item()`, `.numpy()`, `no_grad`, or `torch.tensor(...)` of a tensor.",
    ),
    "gradient": (
        "wrong gradient",
        "The values are right, so look for a step whose slope differs: clamp, where, abs, rounding, detach.",
    ),
    "dtype": ("wrong dtype", "Results keep the dtype of the input unless the docstring says otherwise."),
    "no_error": ("does not reject bad input", "The docstring says when to raise ValueError; check for it first."),
    "other_error": (
        "raises another error",
        "Look for the bad input yourself, before it reaches anything else, and `raise ValueError(...)` with a message.",
    ),
    "nan": ("gives NaN", "Where might you divide by zero, take log of zero, or subtract infinities?"),
    "raised": (
        "raises an error",
        "Call your function on a small input in a cell of its own; read the error's last line.",
    ),
    "type": ("returns another type", "Compare what you return with the docstring's last line."),
    "blocked": ("calls what is not written", "Write the function it calls first, or let a library function stand in."),
    "kernel": ("the kernel was lost", "The code ended Python itself, or used up its memory."),
}


def diagnose(exercise: Exercise, outcomes: Sequence[Outcome]) -> Diagnosis | None:
    """The mistake behind the failed outcomes, or None where all passed."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if not failed:
        return None
    first = failed[0].finding
    assert first is not None
    if first.kind in ("missing", "time", "none", "kernel"):
        return _by_form(exercise, failed, first)
    modified = next((outcome.finding for outcome in failed if outcome.finding.kind == "modified"), None)
    if modified is not None and first.kind in ("modified", "raised") and failed[0].case.group == GRADIENT:
        return _by_form(exercise, failed, modified)  # autograd's complaint is only how it shows
    if all(outcome.finding.kind == "modified" for outcome in failed):
        return _by_form(exercise, failed, first)  # the values are right: no mistake gives them
    named = _misconception(exercise, outcomes)
    if named is not None:
        return Diagnosis(named.name, named.says, named.hint)
    return _by_form(exercise, failed, first)


def _misconception(exercise: Exercise, outcomes: Sequence[Outcome]) -> Misconception | None:
    """The one that gives the learner's wrong answers in most failed cases, and in at least half of them.

    A mistake that would have shown in a case that the learner got right is not theirs.
    """
    answered = [outcome for outcome in outcomes if outcome.exchanges]
    failed = [outcome for outcome in answered if not outcome.passed][:MAX_FAILED]
    passed = [outcome for outcome in answered if outcome.passed][:MAX_PASSED]
    best, most = None, (len(failed) - 1) // 2
    for candidate in exercise.misconceptions:
        matches = _matches(exercise, candidate, failed, most)
        if matches > most and all(_gives(exercise, candidate, outcome) for outcome in passed):
            best, most = candidate, matches
    return best


def _matches(exercise: Exercise, candidate: Misconception, failed: Sequence[Outcome], most: int) -> int:
    """In how many failed cases the candidate answers as the learner did; stops once `most` is out of reach."""
    misses = 0
    for outcome in failed:
        misses += not _gives(exercise, candidate, outcome)
        if len(failed) - misses <= most:
            return 0
    return len(failed) - misses


def _gives(exercise: Exercise, candidate: Misconception, outcome: Outcome) -> bool:
    """Whether the misconception answers every question of the case as the learner did."""
    for exchange in outcome.exchanges:
        known = _answers.setdefault(exchange.question, {})
        if candidate.name not in known:
            known[candidate.name] = answer(candidate.function, exchange.question)
        if not _same_answer(known[candidate.name], exchange.got, exercise.tolerance):
            return False
    return True


def _by_form(exercise: Exercise, failed: Sequence[Outcome], finding: Difference) -> Diagnosis:
    mistake, hint = _relation(exercise, failed) or _FORMS.get(
        finding.kind,
        (
            "a wrong answer",
            "Compare your result with the expected one on the smallest case, number by number.",
        ),
    )
    return Diagnosis(mistake, finding.says, hint)


def _relation(exercise: Exercise, failed: Sequence[Outcome]) -> tuple[str, str] | None:
    """How wrong tensors relate to the expected ones as a whole, if all of them do in the same way."""
    pairs = [
        (outcome.exchanges[-1].got.value, outcome.exchanges[-1].expected.value)
        for outcome in failed[:MAX_FAILED]
        if outcome.exchanges and outcome.exchanges[-1].expected and outcome.exchanges[-1].question.cotangents is None
    ]
    tensors = (isinstance(one, torch.Tensor) and one.is_floating_point() for pair in pairs for one in pair)
    if not pairs or not all(tensors) or any(got.dtype != expected.dtype for got, expected in pairs):
        return None
    if all(_is_transpose(got, expected, exercise.tolerance) for got, expected in pairs):
        return "transposed", "Your answer has the right numbers with its last two dimensions exchanged."
    if any(got.shape != expected.shape for got, expected in pairs):
        return None
    got, expected = (torch.cat([side.flatten() for side in sides]) for sides in zip(*pairs, strict=True))
    if got.numel() < 2 or not got.isfinite().all() or not expected.any():
        return None
    factor = (got @ expected / (expected @ expected)).item()
    if abs(factor) > 0.01 and abs(factor - 1) > 0.01 and close(got, factor * expected, Tolerance(atol=1e-4)).all():
        return "off by a factor", f"Every number is {factor:.4g} times what it should be."
    return None


def _is_transpose(got: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> bool:
    return got.ndim >= 2 and got.mT.shape == expected.shape and bool(close(got.mT, expected, tolerance).all())


def _same_answer(one: Answer, other: Answer, tolerance: Tolerance) -> bool:
    """Whether two answers to one question agree in value and gradients, or in the error."""
    if one.error or other.error:
        return one.error == other.error and (one.error == "ValueError" or one.message == other.message)
    if compare(one.value, other.value, tolerance) is not None:
        return False
    if one.gradients is None or other.gradients is None:
        return one.gradients is other.gradients
    return all(_same_gradient(a, b) for a, b in zip(one.gradients, other.gradients, strict=True))


def _same_gradient(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other or not (other if one is None else one).any()
    return compare(one, other, Tolerance(atol=1e-4, rtol=1e-3)) is None
