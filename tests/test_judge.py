"""From answers to a verdict: groups, partial credit, status, and the mistake that is named."""

import pytest
import torch

from grader.answer import answer
from grader.draw import Draw
from grader.exercise import Exercise, ExerciseError, Question, Tolerance, Wrong, arguments, ask, find_exercise
from grader.judge import judge


def halves() -> Exercise:
    """An exercise of the tests' own: x / 2 for x ≥ 0, ValueError for an empty x."""

    def half(x):
        if x.numel() == 0:
            raise ValueError("empty")
        return x / 2

    made = Exercise(half, "99_tests", True, Tolerance(), ("torch.div",))

    @made.case
    def ordinary(draw):
        return draw.normal(2, 3)

    @made.hidden_case(group="large")
    def large(draw):
        return draw.normal(4, scale=1e6)

    @made.hidden_case(group="errors")
    def empty(draw):
        return torch.zeros(0)

    @made.hidden_property_case(group="laws")
    def twice_the_half_is_the_whole(draw):
        x = draw.normal(3)
        first = yield arguments(x)
        if not torch.allclose(first.value * 2, x):
            raise Wrong("twice the half is not the whole")

    @made.misconception("It doubles.", hint="Smaller or larger?")
    def doubled(x):
        return x * 2

    @made.misconception("It rounds down.", hint="Look at 0.5.")
    def floored(x):
        return (x / 2).floor()

    return made


def verdict(function, **options):
    return judge(halves(), lambda question: answer(function, question), seed=options.pop("seed", 1), **options)


def right(x):
    if len(x.flatten()) == 0:
        raise ValueError
    return x * 0.5


def test_a_right_answer_passes_every_group():
    found = verdict(right)
    assert found.status == "passed"
    assert found.fraction == 1.0
    assert found.diagnosis is None
    assert list(found.groups) == ["basic", "large", "errors", "laws", "gradient", "arguments"]


def test_practice_asks_only_the_practice_cases():
    asked = []

    def spy(question):
        asked.append(question)
        return answer(right, question)

    found = judge(halves(), spy, practice=True)
    assert list(found.groups) == ["basic", "gradient", "arguments"]
    assert len(asked) == 2


def test_points_are_in_proportion_to_the_groups_that_pass():
    found = verdict(lambda x: x * 0.5)
    assert found.status == "partial"
    assert found.fraction == pytest.approx(5 / 6)
    assert found.diagnosis.mistake == "does not reject bad input"


def test_nothing_is_earned_where_the_basic_group_fails():
    found = verdict(lambda x: right(x) + 1)
    assert found.fraction == 0.0
    assert found.status == "failed"


def test_a_misconception_is_named_where_it_gives_the_same_wrong_answers():
    assert verdict(lambda x: x + x).diagnosis.says == "It doubles."
    assert verdict(lambda x: torch.floor(x * 0.5)).diagnosis.hint == "Look at 0.5."


@pytest.mark.parametrize(
    ("function", "mistake"),
    [
        (lambda x: None, "returns nothing"),
        (lambda x: right(x).numpy(), "returns another type"),
        (lambda x: right(x).double(), "wrong dtype"),
        (lambda x: right(x) * 3, "off by a factor"),
        (lambda x: right(x).detach(), "the gradient stops"),
        (lambda x: right(x) * torch.nan, "gives NaN"),
        (lambda x: [][1], "raises an error"),
        (lambda x: right(x.clamp(min=-1e9)) + (x - x.detach()), "wrong gradient"),
    ],
)
def test_the_form_of_a_wrong_answer_is_named_where_no_misconception_fits(function, mistake):
    assert verdict(function).diagnosis.mistake == mistake


def test_a_transposed_answer_is_called_so():
    assert verdict(lambda x: right(x).T if x.ndim == 2 else right(x)).diagnosis.mistake == "transposed"


def test_changing_an_argument_costs_its_own_group_only():
    def function(x):
        if x.numel() == 0:
            raise ValueError
        return x.mul_(0.5)

    found = verdict(function)
    assert not found.groups["arguments"]
    assert found.groups["basic"]
    assert found.diagnosis.mistake == "changes its arguments"


def test_a_broken_law_is_put_in_the_words_of_the_law():
    found = verdict(lambda x: right(x) if x.shape != (3,) else right(x) + 1)
    finding = next(outcome.finding for outcome in found.outcomes if outcome.case.group == "laws")
    assert finding.says == "twice the half is not the whole"


def test_a_law_survives_answers_of_any_form():
    found = verdict(lambda x: "text" if x.shape == (3,) else right(x))
    assert not found.groups["laws"]


def test_an_untouched_stub_is_missing():
    def stub(x):
        raise NotImplementedError

    assert verdict(stub).status == "missing"


def test_a_function_that_calls_an_unwritten_one_says_so():
    def other(x):
        raise NotImplementedError

    def function(x):
        return other(x) * 2

    found = verdict(function)
    assert found.status == "error"
    assert found.diagnosis.mistake == "calls what is not written"


def test_a_gradient_that_is_nan_where_none_should_arrive_is_refused():
    made = Exercise(lambda x, y: x * 2, "99_tests", True, Tolerance(), ())
    made.case(lambda draw: (draw.normal(2), draw.normal(2)))
    found = judge(made, lambda question: answer(lambda x, y: x * 2 + 0 * (y - y).sqrt(), question))
    assert not found.groups["gradient"]


def test_a_function_that_only_raises_has_the_status_error():
    assert verdict(lambda x: 1 / 0).status == "error"


def test_after_one_call_without_end_no_other_is_made():
    asked = []

    def spy(question):
        asked.append(question)
        return answer(lambda x: [0 for _ in iter(int, 1)], Question(question.args, seconds=0.2))

    found = judge(halves(), spy)
    assert len(asked) == 1
    assert found.status == "error"
    assert found.diagnosis.mistake == "takes too long"


def test_a_forbidden_function_is_refused():
    assert verdict(lambda x: torch.div(x, 2)).status == "error"


def test_the_same_seed_draws_the_same_inputs_and_another_seed_others():
    def inputs(seed):
        asked = []
        judge(halves(), lambda question: asked.append(question) or answer(right, question), seed=seed)
        return asked[0].args[0]

    assert torch.equal(inputs(5), inputs(5))
    assert not torch.equal(inputs(5), inputs(6))


def test_a_hidden_case_never_shows_what_was_expected():
    from grader import render

    found = verdict(lambda x: right(x) * (3 if x.numel() == 4 else 1))
    finding = next(outcome for outcome in found.outcomes if outcome.case.name == "large").finding
    assert finding.detail
    assert finding.detail not in render.as_text(found)
    assert finding.detail not in render.as_html(found)


def test_an_oracle_that_fails_is_our_fault_and_says_so():
    made = Exercise(lambda x: {}[1], "99_tests", False, Tolerance(), ())
    made.name = "broken"
    made.case(lambda draw: draw.normal(2))
    with pytest.raises(ExerciseError, match="the oracle of broken failed"):
        judge(made, lambda question: answer(right, question))


def test_two_cases_of_one_name_are_refused():
    made = halves()
    with pytest.raises(ExerciseError, match="two cases named large"):

        @made.case
        def large(draw):
            return draw.normal(1)


def test_an_unknown_exercise_is_met_with_the_nearest_names():
    with pytest.raises(ExerciseError, match="Did you mean softmax"):
        find_exercise("sofmax")


def test_a_gradient_that_a_law_asks_for_comes_back():
    made = halves()
    seen = []

    @made.property_case(group="slope")
    def slope(draw):
        got = yield ask(draw.normal(2), cotangents=(torch.ones(2),))
        seen.append(got.gradients[0])

    judge(made, lambda question: answer(right, question))
    assert torch.equal(seen[0], torch.full((2,), 0.5))


def test_draws_depend_on_seed_and_place_only():
    assert torch.equal(Draw(1, "a").normal(3), Draw(1, "a").normal(3))
    assert not torch.equal(Draw(1, "a").normal(3), Draw(1, "b").normal(3))
    assert sorted(Draw(1).permutation(4).tolist()) == [0, 1, 2, 3]
    assert Draw(2).permutation(2).tolist() == [1, 0]
