"""The tests of the tests, for every exercise of the course."""

import pytest

from grader.audit import audit, solved_functions
from grader.exercise import all_exercises
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def solution():
    """The function that the author wrote for an exercise."""
    known = {}

    def of(exercise):
        if exercise.unit not in known:
            known[exercise.unit] = solved_functions(ROOT, exercise.unit)
        return known[exercise.unit].get(exercise.name)

    return of


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: f"{exercise.unit}-{exercise.name}")
def test_right_answers_pass_and_every_known_mistake_is_rejected_and_named(exercise, solution):
    found = audit(exercise, solution(exercise))
    assert found.problems == ()
    assert found.named == found.misconceptions >= 4
    assert found.accepted == found.alternatives >= 2
