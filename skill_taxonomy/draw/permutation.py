"""A keyed permutation of [0, n): the i-th element in O(1) time and memory, for any n up to 2^126.

The method is a generalised Feistel network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over
Z_a x Z_b with a = ceil(sqrt(n)) and b = ceil(n / a), so that a * b exceeds n by less than a. A value outside [0, n) is
permuted again until it is inside, which happens with a probability of about 1 / sqrt(n). The permutation shuffles; it
does not protect secrets.
"""

import hashlib
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

SMALL = 2**12
"""Sizes below this use `ROUNDS_IF_SMALL` rounds."""

ROUNDS, ROUNDS_IF_SMALL = 6, 16
"""Rounds of the network, chosen by chi-square tests over keys (docs/taxonomies.md): the frequencies of the orders of 3
to 6 elements, and the images of neighbours in spaces of 20 to 1,000. Six rounds pass the tests from 400 elements on;
sizes below ten need sixteen."""

MAX_SIZE = 2**126
_MAX_BULK_SIZE = 2**62  # larger sizes overflow the products below in 64 bits
_MASK = 2**64 - 1
_M = 0xD6E8FEB86659FD93  # the multiplier of degski's 64-bit mixer (xor, shift by 32, multiply; twice)


@dataclass(frozen=True, slots=True)
class Permutation:
    """A bijection of [0, size) onto itself.

    Attributes:
        size: The number of elements.
        a: The modulus of the left half of a value.
        b: The modulus of the right half of a value; a * b is at least `size`.
        keys: The 64-bit keys of an odd and the following even round, for each pair of rounds.
    """

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
        """Return the elements at an int64 array of positions, as int64. Raises `ValueError` for sizes above 2^62."""
        if self.size > _MAX_BULK_SIZE:
            raise ValueError("bulk access needs a space below 2^62")
        values = self._once_bulk(indices.astype(np.uint64))
        outside = np.nonzero(values >= self.size)[0]
        while len(outside):
            values[outside] = self._once_bulk(values[outside])
            outside = outside[values[outside] >= self.size]
        return values.astype(np.int64)

    def _once(self, value: int) -> int:
        """Return the image of a value in [0, a * b), which may be outside [0, size)."""
        a, b = self.a, self.b
        right, left = divmod(value, a)
        for odd, even in self.keys:
            # `mix64` inlined, because the calls would double the time
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
        """Return `_once` of each element of a uint64 array."""
        a: Any = np.uint64(self.a)
        b: Any = np.uint64(self.b)
        right, left = np.divmod(values, a)
        for odd, even in self.keys:
            # The mix is reduced first, because a uint64 sum wraps where the scalar sum does not.
            left = (left + mix64_bulk(right ^ np.uint64(odd)) % a) % a
            right = (right + mix64_bulk(left ^ np.uint64(even)) % b) % b
        images: np.ndarray = right * a + left
        return images


def permutation(size: int, *key: object) -> Permutation:
    """Return the permutation of [0, size) for a key. Raises `ValueError` if `size` is outside 1 … 2^126."""
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"a space of {size} cells cannot be permuted: expected 1 to 2^126")
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    rounds = ROUNDS_IF_SMALL if size < SMALL else ROUNDS
    digest = hashlib.shake_256(repr((size, *key)).encode()).digest(8 * rounds)
    keys = [int.from_bytes(digest[8 * i : 8 * i + 8], "big") for i in range(rounds)]
    return Permutation(size, a, b, tuple(zip(keys[::2], keys[1::2], strict=True)))


def mix64(x: int) -> int:
    """Return a 64-bit hash of a 64-bit number: a bijection in which every result bit depends on every bit of `x`."""
    x = ((x ^ (x >> 32)) * _M) & _MASK
    x = ((x ^ (x >> 32)) * _M) & _MASK
    return x ^ (x >> 32)


def mix64_bulk(x: np.ndarray) -> np.ndarray:
    """Return `mix64` of each element of a uint64 array."""
    for _ in range(2):
        x = (x ^ (x >> np.uint64(32))) * np.uint64(_M)
    mixed: np.ndarray = x ^ (x >> np.uint64(32))
    return mixed
