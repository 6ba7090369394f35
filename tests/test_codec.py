"""What crosses between two processes comes back as it was, and nothing else does."""

import json
import math
import pickle
import struct

import numpy as np
import pytest
import torch

from grader.codec import MAGIC, MAX_DEPTH, CodecError, Foreign, decode, encode


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -7,
        10**40,
        1.5,
        math.inf,
        "사랑해",
        "",
        [],
        (),
        {},
        [1, (2.0, "x")],
        {"a": [None], 3: (True,)},
        1 + 2j,
    ],
    ids=repr,
)
def test_plain_data_comes_back_equal_and_of_the_same_type(value):
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


def test_nan_comes_back_as_nan():
    assert math.isnan(decode(encode(math.nan)))


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.int64, torch.bool]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3)])
def test_a_tensor_keeps_shape_dtype_and_values(dtype, shape):
    tensor = (torch.arange(math.prod(shape)).reshape(shape) % 2).to(dtype)
    back = decode(encode(tensor))
    assert back.dtype is dtype
    assert torch.equal(back, tensor)


def test_a_transposed_or_expanded_tensor_comes_back_with_its_values():
    tensor = torch.arange(6).reshape(2, 3).T
    assert torch.equal(decode(encode(tensor)), tensor)
    assert torch.equal(decode(encode(torch.ones(1).expand(4))), torch.ones(4))


def test_a_tensor_that_asks_for_gradients_comes_back_plain():
    back = decode(encode(torch.ones(2, requires_grad=True) * 2))
    assert not back.requires_grad


def test_numpy_arrays_stay_arrays_and_numpy_numbers_become_python_ones():
    back = decode(encode(np.arange(3.0)))
    assert isinstance(back, np.ndarray)
    assert decode(encode(np.float64(2.5))) == 2.5


class Liar(torch.Tensor):
    """A tensor that claims to be equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = torch.Tensor.__hash__


@pytest.mark.parametrize("value", [object(), lambda: 1, torch.nn.Linear(1, 1), torch.ones(2).as_subclass(Liar), {1, 2}])
def test_any_other_object_crosses_only_as_the_name_of_its_type(value):
    back = decode(encode(value))
    assert isinstance(back, Foreign)
    assert type(value).__qualname__ in back.type_name


def test_a_value_that_is_too_large_or_too_deep_is_refused():
    with pytest.raises(CodecError, match="MiB"):
        encode(torch.zeros(20_000_000))
    deep = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(CodecError, match="deep"):
        encode(deep)


def message(tree, raw=b""):
    header = json.dumps(tree).encode()
    return MAGIC + struct.pack(">I", len(header)) + header + raw


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"hello",
        pickle.dumps([1, 2]),
        MAGIC,
        MAGIC + b"\xff\xff\xff\xff",
        MAGIC + struct.pack(">I", 2) + b"{]",
        message({}),
        message(["!", 1]),
        message(["=", [1]]),
        message(["i", 5]),
        message(["i", "f" * 5000]),
        message(["f", "abc"]),
        message(["d", [[["l", []], ["=", None]]]]),
        message(["T", ["float32", [2], "cpu"]], b"1234"),
        message(["T", ["float32", [-1], "cpu"]], b"1234"),
        message(["T", ["float32", [1 << 62, 1 << 62], "cpu"]]),
        message(["T", ["object", [1], "cpu"]], b"12345678"),
        message(["=", None], b"left over"),
        message(["N", ["T", ["bfloat16", [1], "cpu"]]], b"12"),
    ],
    ids=range(19),
)
def test_forged_bytes_are_refused_with_one_kind_of_error(forged):
    with pytest.raises(CodecError):
        decode(forged)


def test_a_message_cut_anywhere_is_refused():
    whole = encode({"a": torch.arange(5), "b": [1.5, "x"]})
    for end in range(len(whole)):
        with pytest.raises(CodecError):
            decode(whole[:end])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64, torch.bool])
def test_a_single_element_with_an_odd_stride_crosses(dtype):
    one = torch.zeros(1, 7, dtype=dtype)[:, -1]
    assert one.stride() == (7,)
    assert decode(encode(one)).equal(one)


def test_an_empty_tensor_crosses():
    assert decode(encode(torch.zeros(0, 3))).shape == (0, 3)
