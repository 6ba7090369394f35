"""The learner's side survives what a function does, and reports it."""

import sys
import time
import warnings
from contextlib import suppress

import pytest
import torch

from grader.answer import answer, pack_answer, pack_question, reply, unpack_answer
from grader.codec import CodecError, Foreign
from grader.exercise import Answer, Question


def ask(function, *args, **options):
    return answer(function, Question(args=args, seconds=options.pop("seconds", 2.0), **options))


def test_a_value_comes_back():
    assert ask(lambda x: x + 1, 2) == Answer(value=3)


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, RecursionError, MemoryError, GeneratorExit]
)
def test_every_exception_is_reported_with_its_message(error):
    def function():
        raise error("on purpose")

    found = ask(function)
    assert (found.error, found.message) == (error.__name__, "on purpose")


def test_the_line_that_raised_is_named():
    def function(x):
        y = x + 1
        return y / 0

    assert ask(function, 1).line == "line 3 of function: return y / 0"


def test_endless_recursion_is_an_error_like_any_other():
    def function(x):
        return function(x)

    assert ask(function, 1).error == "RecursionError"


def test_an_exception_that_cannot_be_printed_is_reported():
    class SilentError(Exception):
        def __str__(self):
            raise RuntimeError

    def function():
        raise SilentError

    assert ask(function).error == "SilentError"


def test_a_probe_calls_a_function_of_what_cannot_cross():
    def train_step(model, batch, optimizer):
        model.train()
        loss = model(batch["waveforms"], batch["lengths"])[0].sum()
        loss.backward()
        optimizer.step()
        return 0.5

    batch = {"waveforms": torch.ones(1, 4), "lengths": torch.tensor([4])}
    found = ask(train_step, torch.ones(3, 2), torch.zeros(3), batch, 0.1, probe="steps", seconds=30.0)
    assert found.error is None
    assert found.value["losses"] == [0.5]
    assert found.value["called_in_train_mode"] == found.value["left_in_train_mode"] == [True]
    assert unpack_answer(reply({"f": train_step}, "f", pack_question(Question(probe="steps")))).error == "TypeError"


def test_an_endless_loop_ends_with_the_time_limit():
    def function():
        while True:
            pass

    start = time.monotonic()
    found = ask(function, seconds=0.3)
    assert found.timed_out
    assert time.monotonic() - start < 2


def test_a_loop_that_swallows_every_exception_does_not_hold_the_notebook():
    running = True

    def function():
        while running:
            with suppress(BaseException):
                time.sleep(0.01)

    out = sys.stdout
    assert ask(function, seconds=0.2).timed_out
    assert sys.stdout is out
    running = False


def test_what_is_printed_is_kept_up_to_a_limit_and_not_shown(capsys):
    def function():
        for _ in range(100_000):
            print("noise")
        return 1

    found = ask(function)
    assert found.value == 1
    assert found.printed.startswith("noise")
    assert len(found.printed) <= 2_000
    assert capsys.readouterr().out == ""


def test_a_warning_inside_the_function_is_no_error(capsys):
    def function():
        warnings.warn("careful", stacklevel=1)
        return 1

    assert ask(function).value == 1
    assert capsys.readouterr().err == ""


def test_a_huge_result_is_an_error_not_a_crash():
    assert ask(lambda: torch.zeros(1).expand(100_000_000)).error == "TooLarge"


def test_an_object_that_cannot_cross_is_named():
    assert isinstance(ask(lambda: torch.nn.Linear(1, 1)).value, Foreign)


def test_a_changed_argument_is_named():
    def function(x, mask):
        x.mul_(2)
        mask.append(1)
        return 0

    assert ask(function, torch.ones(3), [1, 2]).modified == ("argument 1", "argument 2")
    assert ask(lambda x: x * 2, torch.full((2,), torch.nan)).modified == ()


def test_a_change_inside_a_list_or_dict_is_named():
    def function(params):
        params["w"][0] += 1

    assert ask(function, {"w": torch.zeros(2)}).modified == ("argument 1",)


def test_gradients_come_back_for_every_floating_tensor_in_order():
    found = ask(lambda x, p: x * p["w"], torch.tensor([2.0]), {"w": torch.tensor([3.0]), "n": torch.tensor([1])},
                cotangents=(torch.tensor([10.0]),))  # fmt: skip
    assert [gradient.item() for gradient in found.gradients] == [30.0, 20.0]


def test_a_detached_result_has_no_gradients():
    assert ask(lambda x: x.detach() * 2, torch.ones(1), cotangents=(torch.ones(1),)).gradients == (None,)


def test_a_forbidden_function_raises_while_the_call_runs_and_works_after_it():
    import torch.nn.functional as functional

    found = ask(lambda x: functional.relu(x), torch.ones(1), forbids=("torch.nn.functional.relu",))
    assert "not allowed" in found.message
    assert functional.relu(torch.ones(1)).item() == 1


def test_a_question_about_a_name_that_is_not_there_says_so():
    found = unpack_answer(reply({}, "softmax", pack_question(Question(args=(1,)))))
    assert found.error == "Missing"
    found = unpack_answer(reply({"softmax": 3}, "softmax", pack_question(Question(args=(1,)))))
    assert "int" in found.message


def test_questions_and_answers_cross_as_text():
    question = Question(args=(torch.arange(3.0), [1]), kwargs={"dim": -1})
    found = unpack_answer(reply({"f": lambda x, y, dim: x.sum(dim)}, "f", pack_question(question)))
    assert found.value.item() == 3.0


@pytest.mark.parametrize("forged", ["", "!!!", "aGVsbG8=", "é"])
def test_a_forged_reply_is_refused(forged):
    with pytest.raises(CodecError):
        unpack_answer(forged)


@pytest.mark.parametrize("field", [{"error": 3}, {"gradients": "x"}, {"modified": None}, {"timed_out": 1}])
def test_a_reply_with_malformed_fields_is_refused(field):
    with pytest.raises(CodecError):
        unpack_answer(pack_answer(Answer(**field)))
