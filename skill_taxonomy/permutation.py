"""A keyed permutation of [0, n): the i-th element in O(1) time and memory, for any n below 2^126.

A generalised Feistel network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over
Z_a x Z_b with a = ceil(sqrt(n)), b = ceil(n / a), so that a * b exceeds n by less than a: values outside
[0, n) are walked through the permutation again, which happens with probability of about 1 / sqrt(n).
It shuffles; it is no cipher for secrets.
"""

import hashlib
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

ROUNDS = 8
MAX_SIZE = 2**126
_BULK_SIZE = 2**62  # products below stay inside int64
_MASK = 2**64 - 1
_M1, _M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64's finaliser (Steele et al. 2014)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A bijection of [0, size) onto itself, fixed by `keys`."""

    size: int
    a: int
    b: int
    keys: tuple[int, ...]

    def __getitem__(self, i: int) -> int:
        if not 0 <= i < self.size:
            raise IndexError(f"{i} is outside [0, {self.size})")
        value = self._once(i)
        while value >= self.size:
            value = self._once(value)
        return value

    def bulk(self, indices: np.ndarray) -> np.ndarray:
        """The same for an int64 array of indices; sizes below 2^62 only."""
        if self.size > _BULK_SIZE:
            raise ValueError("bulk access needs a space below 2^62")
        values = self._once_bulk(indices.astype(np.uint64))
        outside = values >= self.size
        while outside.any():
            values[outside] = self._once_bulk(values[outside])
            outside = values >= self.size
        return values.astype(np.int64)

    def _once(self, value: int) -> int:
        right, left = divmod(value, self.a)
        for i, key in enumerate(self.keys):
            if i % 2:
                right = (right + _mix(left ^ key)) % self.b
            else:
                left = (left + _mix(right ^ key)) % self.a
        return right * self.a + left

    def _once_bulk(self, values: np.ndarray) -> np.ndarray:
        a: Any = np.uint64(self.a)
        b: Any = np.uint64(self.b)
        right, left = values // a, values % a
        for i, key in enumerate(self.keys):
            # `% 2^64` then `+` may wrap where the scalar sum does not: reduce the mix first.
            if i % 2:
                right = (right + _mix_bulk(left ^ np.uint64(key)) % b) % b
            else:
                left = (left + _mix_bulk(right ^ np.uint64(key)) % a) % a
        return right * a + left


def permutation(size: int, *key: object) -> Permutation:
    """The permutation of [0, size) that belongs to `key`. Raises `ValueError` outside 1 … 2^126."""
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"a space of {size} cells cannot be permuted: expected 1 to 2^126")
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    digest = hashlib.sha512(repr((size, *key)).encode()).digest()
    keys = tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "big") for i in range(ROUNDS))
    return Permutation(size, a, b, keys)


def _mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * _M1) & _MASK
    x = ((x ^ (x >> 27)) * _M2) & _MASK
    return x ^ (x >> 31)


def _mix_bulk(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_M1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_M2)
    return x ^ (x >> np.uint64(31))
