"""The tests of the tests: does every exercise accept what is right, and reject and name what is wrong?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from grader.answer import answer, flatten
from grader.course import source_path
from grader.exercise import Exercise, all_exercises
from grader.judge import judge
from grader.verdict import Verdict

#: The inputs drawn from each of these must give the same findings.
SEEDS = ("audit 1", "audit 2")
MIN_MISCONCEPTIONS = 4
MIN_ALTERNATIVES = 2


@dataclass(frozen=True)
class Audit:
    """What the audit of one exercise found. `problems` is empty where its tests bite as they must."""

    exercise: str
    unit: str
    cases: int
    misconceptions: int
    named: int
    alternatives: int
    accepted: int
    problems: tuple[str, ...]


def audit(exercise: Exercise, solution: Callable | None) -> Audit:
    """Judge the solution, the catalogued right and wrong answers, and careless and trivial ones, on several seeds."""
    problems: list[str] = []
    rejected: set[str] = set()
    rights = {"the oracle": exercise.oracle}
    rights |= {f"alternative {function.__name__}": function for function in exercise.alternatives}
    if solution is None:
        problems.append("no solution found in the unit's source")
    elif not exercise.trained:
        rights["the solution"] = solution
    refused = {
        name
        for name, function in rights.items()
        for seed in SEEDS
        if _refused(exercise, function, seed, problems, name)
    }
    named = 0
    for one in exercise.misconceptions:
        verdicts = [_judge(exercise, one.function, seed) for seed in SEEDS]
        for verdict in verdicts:
            rejected |= _failed(verdict)
        if any(verdict.status == "passed" for verdict in verdicts):
            problems.append(f"misconception {one.name} is accepted")
        elif all(verdict.diagnosis and verdict.diagnosis.mistake == one.name for verdict in verdicts):
            named += 1
        else:
            others = {verdict.diagnosis.mistake for verdict in verdicts if verdict.diagnosis} - {one.name}
            problems.append(f"misconception {one.name} is taken for {', '.join(sorted(others))}")
    for name, function in _careless(exercise):
        verdict = _judge(exercise, function, SEEDS[0])
        rejected |= _failed(verdict)
        if verdict.status == "passed":
            problems.append(f"an answer that {name} is accepted")
    for name, function in _trivial(exercise):
        for group, passed in _judge(exercise, function, SEEDS[0]).groups.items():
            if passed and group != "arguments":
                problems.append(f"an answer that {name} passes the group {group!r}")
    idle = [case.name for case in exercise.cases if case.name not in rejected]
    problems += [f"case {name} rejects nothing in the catalogue" for name in idle]
    if len(exercise.misconceptions) < MIN_MISCONCEPTIONS:
        problems.append(f"fewer than {MIN_MISCONCEPTIONS} misconceptions")
    if len(exercise.alternatives) < MIN_ALTERNATIVES:
        problems.append(f"fewer than {MIN_ALTERNATIVES} alternatives")
    accepted = sum(f"alternative {function.__name__}" not in refused for function in exercise.alternatives)
    counts = len(exercise.cases), len(exercise.misconceptions), named, len(exercise.alternatives), accepted
    return Audit(exercise.name, exercise.unit, *counts, tuple(problems))


def audit_all(root: Path, unit: str | None = None) -> Iterator[Audit]:
    """The audit of every exercise, or of one unit's, one by one."""
    solutions: dict[str, dict[str, Callable]] = {}
    for exercise in all_exercises():
        if unit in (None, exercise.unit):
            if exercise.unit not in solutions:
                solutions[exercise.unit] = solved_functions(root, exercise.unit)
            yield audit(exercise, solutions[exercise.unit].get(exercise.name))


def solved_functions(root: Path, unit: str) -> dict[str, Callable]:
    """The functions that a unit's author wrote, made by running the source without its demo and check cells."""
    import jupytext

    namespace: dict = {}
    for cell in jupytext.read(source_path(root, unit)).cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and not marks.get("grade") and not cell.metadata.get("tags"):
            exec(compile(cell.source, f"{unit}.py", "exec"), namespace)  # noqa: S102  (the author's own code)
    return {name: value for name, value in namespace.items() if callable(value)}


def _judge(exercise: Exercise, function: Callable, seed: str) -> Verdict:
    forbids = () if function is exercise.oracle else exercise.forbids
    return judge(exercise, lambda question: answer(function, replace(question, forbids=forbids)), seed)


def _refused(exercise: Exercise, function: Callable, seed: str, problems: list[str], name: str) -> bool:
    verdict = _judge(exercise, function, seed)
    if verdict.status == "passed":
        return False
    failed = next(outcome for outcome in verdict.outcomes if not outcome.passed)
    assert failed.finding is not None
    problems.append(f"{name} is refused: {failed.case.name}: {failed.finding.says} {failed.finding.detail}")
    return True


def _failed(verdict: Verdict) -> set[str]:
    return {outcome.case.name for outcome in verdict.outcomes if not outcome.passed}


def _careless(exercise: Exercise) -> Iterator[tuple[str, Callable]]:
    """Right values given in a wrong way."""
    oracle = exercise.oracle

    def modifies(*args: object, **kwargs: object) -> object:
        value = oracle(*args, **kwargs)
        for one in [*args, *kwargs.values()]:
            _spoil(one)
        return value

    def prints(*args: object, **kwargs: object) -> None:
        print(oracle(*args, **kwargs))

    def detaches(*args: object, **kwargs: object) -> object:
        return _map(oracle(*args, **kwargs), torch.Tensor.detach)

    def to_double(*args: object, **kwargs: object) -> object:
        value = oracle(*args, **kwargs)
        return _map(value, lambda one: one.double() if one.is_floating_point() else one.int())

    def to_numpy(*args: object, **kwargs: object) -> object:
        return _map(oracle(*args, **kwargs), lambda tensor: tensor.detach().numpy())

    yield "prints instead of returning", prints
    values = [outcome.exchanges[0] for outcome in _judge(exercise, oracle, SEEDS[0]).outcomes if outcome.exchanges]
    if any(isinstance(one, torch.Tensor | list | dict) for exchange in values for one in exchange.question.args):
        yield "modifies its arguments", modifies
    if any(isinstance(exchange.got.value, torch.Tensor) for exchange in values):
        yield "returns NumPy", to_numpy
        yield "returns another dtype", to_double
    if exercise.differentiable:
        yield "detaches its result", detaches


def _trivial(exercise: Exercise) -> Iterator[tuple[str, Callable]]:
    """Answers that know nothing."""
    yield "returns None", lambda *args, **kwargs: None
    yield "returns its first argument", lambda first=None, *args, **kwargs: _map(first, torch.Tensor.clone)

    def zeros(*args: object, **kwargs: object) -> object:
        try:
            value = exercise.oracle(*args, **kwargs)
        except ValueError:
            return torch.zeros(())
        return _map(value, torch.zeros_like) if any(flatten(value)) else None

    if any(
        isinstance(outcome.exchanges[0].got.value, torch.Tensor | tuple)
        for outcome in _judge(exercise, exercise.oracle, SEEDS[0]).outcomes
        if outcome.exchanges
    ):
        yield "returns zeros of the right shape", zeros


def _spoil(value: object) -> None:
    if isinstance(value, torch.Tensor):
        with torch.no_grad():
            value.logical_not_() if value.dtype is torch.bool else value.add_(1)
    elif isinstance(value, list):
        value.append(value[-1] if value else 0)
    elif isinstance(value, dict):
        value["spoilt"] = 0


def _map(value: object, change: Callable[[torch.Tensor], object]) -> object:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_map(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    return value
