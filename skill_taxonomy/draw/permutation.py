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

SMALL = 2**12
ROUNDS, ROUNDS_IF_SMALL = 6, 16
"""Chosen by chi-square tests over keys (docs/taxonomies.md): which orders of 3 to 6 elements come up, and where
neighbours go in spaces of 20 to 1,000. Six rounds pass from 400 elements on; below ten it takes sixteen."""

MAX_SIZE = 2**126
_BULK_SIZE = 2**62  # products below stay inside int64
_MASK = 2**64 - 1
_M = 0xD6E8FEB86659FD93  # of degski's 64-bit mixer (xor, shift by 32, multiply; twice)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A bijection of [0, size) onto itself, fixed by `keys`, two for each pair of rounds."""

    size: int
    a: int
    b: int
    keys: tuple[tuple[int, int], ...]

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
        outside = np.nonzero(values >= self.size)[0]
        while len(outside):
            values[outside] = self._once_bulk(values[outside])
            outside = outside[values[outside] >= self.size]
        return values.astype(np.int64)

    def _once(self, value: int) -> int:
        a, b = self.a, self.b
        right, left = divmod(value, a)
        for odd, even in self.keys:
            # `mixed`, written out: a call would double the time
            x = right ^ odd
            x = ((x ^ (x >> 32)) * _M) & _MASK
            x = ((x ^ (x >> 32)) * _M) & _MASK
            left = (left + (x ^ (x >> 32))) % a
            x = left ^ even
            x = ((x ^ (x >> 32)) * _M) & _MASK
            x = ((x ^ (x >> 32)) * _M) & _MASK
            right = (right + (x ^ (x >> 32))) % b
        return right * a + left

    def _once_bulk(self, values: np.ndarray) -> np.ndarray:
        a: Any = np.uint64(self.a)
        b: Any = np.uint64(self.b)
        right, left = np.divmod(values, a)
        for odd, even in self.keys:
            # `% 2^64` then `+` may wrap where the scalar sum does not: reduce the mix first.
            left = (left + mixed_bulk(right ^ np.uint64(odd)) % a) % a
            right = (right + mixed_bulk(left ^ np.uint64(even)) % b) % b
        return right * a + left


def permutation(size: int, *key: object) -> Permutation:
    """The permutation of [0, size) that belongs to `key`. Raises `ValueError` outside 1 … 2^126."""
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"a space of {size} cells cannot be permuted: expected 1 to 2^126")
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    rounds = ROUNDS_IF_SMALL if size < SMALL else ROUNDS
    digest = hashlib.shake_256(repr((size, *key)).encode()).digest(8 * rounds)
    keys = [int.from_bytes(digest[8 * i : 8 * i + 8], "big") for i in range(rounds)]
    return Permutation(size, a, b, tuple(zip(keys[::2], keys[1::2], strict=True)))


def mixed(x: int) -> int:
    """64 bits to 64 bits, one to one: every bit of the result depends on every bit of `x`."""
    x = ((x ^ (x >> 32)) * _M) & _MASK
    x = ((x ^ (x >> 32)) * _M) & _MASK
    return x ^ (x >> 32)


def mixed_bulk(x: np.ndarray) -> np.ndarray:
    """`mixed` of a uint64 array."""
    for _ in range(2):
        x = (x ^ (x >> np.uint64(32))) * np.uint64(_M)
    return x ^ (x >> np.uint64(32))
