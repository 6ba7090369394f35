"""Inputs drawn at random, the same on every machine for the same seed."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

Item = TypeVar("Item")


class Draw:
    """A source of random tensors and numbers, fixed by a seed and a place (unit, exercise, case)."""

    def __init__(self, seed: int | str, *place: str) -> None:
        digest = hashlib.sha256("\0".join([str(seed), *place]).encode()).digest()
        self._numpy = np.random.Generator(np.random.PCG64(int.from_bytes(digest)))

    def normal(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        """Standard normal float32 of that shape, times `scale`."""
        return torch.from_numpy(self._numpy.standard_normal(shape, dtype=np.float32)) * scale

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Uniform float32 in [low, high) of that shape."""
        return torch.from_numpy(self._numpy.random(shape, dtype=np.float32)) * (high - low) + low

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """int64 in [low, high) of that shape."""
        return torch.from_numpy(np.asarray(self._numpy.integers(low, high, shape), dtype=np.int64))

    def integer(self, low: int, high: int) -> int:
        """One Python integer in [low, high)."""
        return int(self._numpy.integers(low, high))

    def booleans(self, *shape: int, probability: float = 0.5) -> torch.Tensor:
        """A bool tensor whose entries are True with that probability."""
        return self.uniform(*shape) < probability

    def permutation(self, n: int) -> torch.Tensor:
        """A random order of 0 … n − 1 that is not the identity where n > 1, (n,) int64."""
        order = self._numpy.permutation(n)
        while n > 1 and (order == np.arange(n)).all():
            order = self._numpy.permutation(n)
        return torch.from_numpy(order.astype(np.int64))

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.integer(0, len(items))]

    def sample(self, items: Sequence[Item], k: int) -> list[Item]:
        """`k` different items in random order."""
        return [items[index] for index in self._numpy.permutation(len(items))[:k]]
