"""Plain data and tensors to bytes and back. Never pickle: decoding builds data and can run no code.

Layout: the magic `SORI1`, four bytes with the header's length (big-endian), a JSON header, then the raw bytes
of the tensors, one after the other. The header is a tree of `[tag, payload]` pairs.
"""

import json
import math
import struct
from typing import Any

import numpy as np
import torch

MAGIC = b"SORI1"
#: The largest message that is encoded or decoded, in bytes: 64 MiB.
MAX_BYTES = 64 * 2**20
#: How deep lists and dicts may nest.
MAX_DEPTH = 20
#: How many values one message may hold.
MAX_ITEMS = 2_000_000

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.bool,
    )
}


class CodecError(ValueError):
    """The value cannot be encoded, or the bytes are no message of ours."""


class Foreign:
    """Stands for a value that does not cross: only its type's name and a short text do."""

    def __init__(self, type_name: str, text: str = "") -> None:
        self.type_name = type_name
        self.text = text

    def __repr__(self) -> str:
        return f"<a value of type {self.type_name}>"


def encode(value: Any) -> bytes:
    """Bytes for None, bool, int, float, complex, str, list, tuple, dict and tensors, nested at will.

    A NumPy array is decoded as one, a NumPy number as a Python number. Any other object crosses as `Foreign`,
    its type's name. Raises `CodecError` where the value is larger than `MAX_BYTES` or nests deeper than `MAX_DEPTH`.
    """
    buffers: list[bytes] = []
    tree = _Writer(buffers).write(value, 0)
    header = json.dumps(tree, separators=(",", ":")).encode()
    message = b"".join([MAGIC, struct.pack(">I", len(header)), header, *buffers])
    if len(message) > MAX_BYTES:
        raise CodecError(f"it takes {len(message) / 2**20:.0f} MiB, the limit is {MAX_BYTES // 2**20}")
    return message


def decode(message: bytes) -> Any:
    """The value that `encode` was given. Raises `CodecError` for anything else; never runs code."""
    if len(message) > MAX_BYTES:
        raise CodecError(f"the message has {len(message)} bytes, the limit is {MAX_BYTES}")
    start = len(MAGIC) + 4
    if message[: len(MAGIC)] != MAGIC or len(message) < start:
        raise CodecError("the message does not begin as ours do")
    (length,) = struct.unpack(">I", message[len(MAGIC) : start])
    if start + length > len(message):
        raise CodecError("the message is cut short")
    try:
        tree = json.loads(message[start : start + length])
    except (ValueError, RecursionError) as error:
        raise CodecError("the message's header is not JSON") from error
    reader = _Reader(message[start + length :])
    value = reader.read(tree, 0)
    if reader.position != len(reader.raw):
        raise CodecError("the message has bytes that belong to nothing")
    return value


class _Writer:
    def __init__(self, buffers: list[bytes]) -> None:
        self.buffers = buffers
        self.items = 0
        self.size = 0

    def write(self, value: Any, depth: int) -> list:
        self.items += 1
        if depth > MAX_DEPTH:
            raise CodecError(f"it nests deeper than {MAX_DEPTH} levels")
        if self.items > MAX_ITEMS:
            raise CodecError(f"it holds more than {MAX_ITEMS} values")
        if isinstance(value, np.generic):
            value = value.item()
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return ["=", value]
        if kind is int:
            return ["i", hex(value)]
        if kind is float:
            return ["f", value if math.isfinite(value) else str(value)]
        if kind is complex:
            return ["c", [str(value.real), str(value.imag)]]
        if kind is list or kind is tuple:
            return ["l" if kind is list else "t", [self.write(item, depth + 1) for item in value]]
        if kind is dict:
            pairs = [[self.write(k, depth + 1), self.write(v, depth + 1)] for k, v in value.items()]
            return ["d", pairs]
        if kind is torch.Tensor or kind is torch.nn.Parameter:
            return self._tensor(value)
        if kind is np.ndarray and value.dtype != object:
            return self._array(value)
        return ["?", [f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."), ""]]

    def _tensor(self, tensor: torch.Tensor) -> list:
        name = str(tensor.dtype).removeprefix("torch.")
        if name not in _DTYPES or tensor.layout is not torch.strided or tensor.device.type == "meta":
            return ["?", [f"torch.Tensor of dtype {name}, layout {tensor.layout}", ""]]
        self._grow(tensor.numel() * tensor.element_size())
        self.buffers.append(raw_bytes(tensor.cpu()).numpy().tobytes())
        return ["T", [name, list(tensor.shape), str(tensor.device)]]

    def _array(self, array: np.ndarray) -> list:
        self._grow(array.nbytes)
        try:
            tensor = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
        except TypeError:
            return ["?", [f"numpy.ndarray of dtype {array.dtype}", ""]]
        return ["N", self._tensor(tensor)]

    def _grow(self, count: int) -> None:
        self.size += count
        if self.size > MAX_BYTES:
            raise CodecError(f"it takes more than {MAX_BYTES // 2**20} MiB")


def raw_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's elements, row by row, as `(bytes,)` uint8."""
    plain = tensor.detach().resolve_conj().resolve_neg().reshape(-1)
    # a copy: `contiguous` leaves a single element its stride, whatever that is
    return torch.empty(plain.shape, dtype=plain.dtype).copy_(plain).view(torch.uint8)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.position = 0
        self.items = 0

    def read(self, tree: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise CodecError("the message nests too deep or holds too much")
        if not (isinstance(tree, list) and len(tree) == 2 and isinstance(tree[0], str)):
            raise CodecError("the message's tree is malformed")
        tag, payload = tree
        try:
            return self._value(tag, payload, depth)
        except CodecError:
            raise
        except (TypeError, ValueError, KeyError, OverflowError, RuntimeError) as error:
            raise CodecError(f"the message's {tag!r} entry is malformed") from error

    def _value(self, tag: str, payload: Any, depth: int) -> Any:
        if tag == "=" and (payload is None or isinstance(payload, bool | str)):
            return payload
        if tag == "i" and len(payload) <= 4096:
            return int(payload, 16)
        if tag == "f":
            return float(payload)
        if tag == "c":
            real, imag = payload
            return complex(float(real), float(imag))
        if tag in "lt" and isinstance(payload, list):
            items = [self.read(item, depth + 1) for item in payload]
            return items if tag == "l" else tuple(items)
        if tag == "d" and isinstance(payload, list):
            return {self.read(k, depth + 1): self.read(v, depth + 1) for k, v in payload}
        if tag == "T":
            return self._tensor(payload)
        if tag == "N":
            if payload[0] != "T":
                return self.read(payload, depth + 1)
            return self._tensor(payload[1]).numpy()
        if tag == "?":
            name, text = payload
            return Foreign(str(name)[:200], str(text)[:200])
        raise CodecError(f"the message has an unknown entry {tag!r}")

    def _tensor(self, payload: list) -> torch.Tensor:
        name, shape, _device = payload
        dtype = _DTYPES[name]
        if not all(type(size) is int and size >= 0 for size in shape):
            raise CodecError("a tensor's shape is malformed")
        count = math.prod(shape) * dtype.itemsize
        if count > len(self.raw) - self.position:
            raise CodecError("a tensor is longer than the message")
        chunk = self.raw[self.position : self.position + count]
        self.position += count
        if not chunk:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(bytearray(chunk), dtype=torch.uint8).view(dtype).reshape(shape)
