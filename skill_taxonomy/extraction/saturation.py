"""Saturation curves: how the number of distinct names grows with the number of answers."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called after each step with the name of a list, the number of answers so far and of distinct names so far."""


class Curves(dict[str, list[tuple[int, int]]]):
    """For each list, points of (answers, distinct names); a curve that ends flat indicates a complete list.

    The last point is exact. The number of answers grows by about a tenth between other points, so that a million
    answers make some 150 points.
    """

    def add(self, name: str, answers: int, distinct: int) -> None:
        """Add a point to the curve of the list `name`."""
        points = self.setdefault(name, [])
        if len(points) > 1 and points[-1][0] < 1.1 * points[-2][0]:
            points.pop()
        points.append((answers, distinct))
