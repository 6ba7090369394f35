"""What counts as equal, and how a difference is put."""

import math

import numpy as np
import pytest
import torch

from grader.compare import compare
from grader.exercise import Tolerance

NEAR = Tolerance(atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.ones(2) + 1e-6, torch.ones(2)),
        (torch.tensor([math.nan, math.inf]), torch.tensor([math.nan, math.inf])),
        (1.0 + 1e-6, 1.0),
        (math.nan, math.nan),
        ([1, "a", (2.0,)], [1, "a", (2.0,)]),
        ({"a": torch.zeros(1)}, {"a": torch.zeros(1)}),
        (torch.zeros(0, 3), torch.zeros(0, 3)),
        (None, None),
    ],
)
def test_equal_within_the_tolerance(got, expected):
    assert compare(got, expected, NEAR) is None


@pytest.mark.parametrize(
    ("got", "expected", "kind", "says"),
    [
        (None, torch.ones(2), "type", "should be a tensor, but it is None"),
        (np.ones(2), torch.ones(2), "type", "NumPy array of shape (2,)"),
        ([1.0, 1.0], torch.ones(2), "type", "a list"),
        (torch.ones(2, 3), torch.ones(3, 2), "shape", "(2, 3), it should be (3, 2)"),
        (torch.ones(2).double(), torch.ones(2), "dtype", "float64, it should be float32"),
        (
            torch.tensor([1.0, 2.5, 3.0]),
            torch.tensor([1.0, 2.0, 3.0]),
            "values",
            "1 of 3 numbers differ; the first at [1] is 2.5",
        ),
        (torch.tensor([math.nan, 2.0]), torch.tensor([1.0, 2.0]), "nan", "is nan"),
        (torch.tensor([math.inf]), torch.tensor([-math.inf]), "values", "is inf"),
        (torch.tensor([True, False]), torch.tensor([True, True]), "values", "the first at [1] is False"),
        (True, 1, "type", "should be an int, but it is a bool"),
        (1, 1.0, "type", "should be a float, but it is an int"),
        (torch.tensor(1.0), 1.0, "type", "a tensor of shape ()"),
        ((1, 2), [1, 2], "type", "should be a list, but it is a tuple"),
        ([1, 2, 3], [1, 2], "length", "has 3 entries, it should have 2"),
        ([1, 3], [1, 2], "values", "entry 1 of the result is 3"),
        ({"a": 1}, {"a": 1, "b": 2}, "keys", "lacks 1 keys"),
        ({"a": 1, "z": 1}, {"a": 1}, "keys", "has ['z'] besides"),
        (math.nan, 1.0, "nan", "NaN"),
    ],
)
def test_the_first_difference_is_named(got, expected, kind, says):
    found = compare(got, expected, NEAR)
    assert found.kind == kind
    assert says in found.says


def test_the_expected_value_is_only_in_the_detail():
    found = compare(torch.tensor([1.0, 0.125]), torch.tensor([1.0, 0.375]), NEAR)
    assert "0.375" not in found.says
    assert "0.375" in found.detail


def test_an_object_that_claims_to_equal_everything_is_not_asked():
    class Yes:
        def __eq__(self, other):
            return True

        __hash__ = None

    assert compare(Yes(), 3, NEAR).kind == "type"
    assert compare(Yes(), torch.ones(1), NEAR).kind == "type"
