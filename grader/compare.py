"""What counts as equal: type, structure, shape, dtype, numbers within a tolerance."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from grader.codec import Foreign
from grader.exercise import Tolerance


@dataclass(frozen=True)
class Difference:
    """The first way in which an answer is not the expected one.

    `kind` is one of type, length, keys, dtype, shape, nan, values. `says` may be shown for any case: it holds
    nothing of the expected values. `detail` holds them, for practice cases.
    """

    kind: str
    says: str
    detail: str = ""


def compare(got: Any, expected: Any, tolerance: Tolerance, where: str = "the result") -> Difference | None:
    """None where `got` equals `expected`; otherwise the first difference, outermost structure first.

    Tensors must agree in shape and dtype, and in every value within the tolerance; NaN equals NaN and infinities
    equal themselves. A bool is no int, an int no float; lists and tuples are kept apart.
    """
    if isinstance(expected, torch.Tensor):
        return _tensors(got, expected, tolerance, where)
    if isinstance(expected, list | tuple):
        return _sequences(got, expected, tolerance, where)
    if isinstance(expected, dict):
        return _dicts(got, expected, tolerance, where)
    if type(got) is not type(expected):
        return Difference("type", f"{where} should be {_kind(expected)}, but it is {_kind(got)}")
    both_float = isinstance(expected, float)
    if close(_double(got), _double(expected), tolerance) if both_float else got == expected:
        return None
    if isinstance(got, float) and math.isnan(got):
        return Difference("nan", f"{where} is NaN (not a number)", f"expected {_short(expected)}")
    return Difference("values", f"{where} is {_short(got)}", f"expected {_short(expected)}")


def close(got: torch.Tensor, expected: torch.Tensor, tolerance: Tolerance) -> torch.Tensor:
    """Where two tensors of one shape agree, as bool of that shape."""
    if not (got.is_floating_point() or got.is_complex()):
        return got == expected
    return torch.isclose(got, expected, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True)


def _double(number: float) -> torch.Tensor:
    return torch.tensor(number, dtype=torch.float64)


def _tensors(got: Any, expected: torch.Tensor, tolerance: Tolerance, where: str) -> Difference | None:
    if not isinstance(got, torch.Tensor):
        return Difference("type", f"{where} should be a tensor, but it is {_kind(got)}")
    if got.shape != expected.shape:
        says = f"{where} has shape {tuple(got.shape)}, it should be {tuple(expected.shape)}"
        return Difference("shape", says)
    if got.dtype != expected.dtype:
        return Difference("dtype", f"{where} has dtype {_dtype(got)}, it should be {_dtype(expected)}")
    same = close(got, expected, tolerance)
    if same.all():
        return None
    index = tuple(int(i) for i in (~same).nonzero()[0])
    place = f" at [{', '.join(map(str, index))}]" if index else ""
    wrong = int((~same).sum())
    count = f"{wrong} of {same.numel()} numbers differ; the first" if same.numel() > 1 else "it"
    value = got[index].item()
    kind = "nan" if isinstance(value, float) and math.isnan(value) else "values"
    says = f"{where}: {count}{place} is {_short(value)}"
    return Difference(kind, says, f"expected {_short(expected[index].item())}")


def _sequences(got: Any, expected: list | tuple, tolerance: Tolerance, where: str) -> Difference | None:
    if type(got) is not type(expected):
        return Difference("type", f"{where} should be {_kind(expected)}, but it is {_kind(got)}")
    if len(got) != len(expected):
        says = f"{where} has {len(got)} entries, it should have {len(expected)}"
        return Difference("length", says, f"you returned {_short(got)}, expected {_short(expected)}")
    for index, (one, other) in enumerate(zip(got, expected, strict=True)):
        found = compare(one, other, tolerance, f"entry {index} of {where}")
        if found is not None:
            return found
    return None


def _dicts(got: Any, expected: dict, tolerance: Tolerance, where: str) -> Difference | None:
    if type(got) is not dict:
        return Difference("type", f"{where} should be a dict, but it is {_kind(got)}")
    if got.keys() != expected.keys():
        missing, extra = expected.keys() - got.keys(), got.keys() - expected.keys()
        parts = [f"lacks {len(missing)} keys"] * bool(missing) + [
            f"has {_short(sorted(extra, key=str))} besides"
        ] * bool(extra)
        return Difference("keys", f"{where} {' and '.join(parts)}", f"expected the keys {_short(list(expected))}")
    for key in expected:
        found = compare(got[key], expected[key], tolerance, f"entry {key!r} of {where}")
        if found is not None:
            return found
    return None


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Foreign):
        return f"of type {value.type_name}"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _short(value: Any) -> str:
    text = f"{value:.6g}" if type(value) is float else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
