"""The version in which each row of an export appeared first."""

from bisect import bisect_right
from collections.abc import Sequence

from skillmill.data.versions import Version, Versions


class Editions:
    """Tells for each row of each plan the number of its version.

    A version has the rows of a plan between the position where the version before it stopped and its own `stop`. Rows
    behind the last stop belong to the new version `new`.
    """

    def __init__(self, versions: Versions) -> None:
        self.new = versions.last.number + 1 if versions.last else 1
        self._stops: dict[str, list[int]] = {}
        self._versions: dict[str, list[Version]] = {}
        for version in versions.entries:
            for plan, part in version.plans.items():
                self._stops.setdefault(plan, []).append(part.stop)
                self._versions.setdefault(plan, []).append(version)

    def of(self, plan: str, index: int) -> int | None:
        """Return the number of the version of a row, None if a reviewer withdrew that version."""
        place = bisect_right(self._stops.get(plan, ()), index)
        versions: Sequence[Version] = self._versions.get(plan, ())
        if place == len(versions):
            return self.new
        return None if versions[place].withdrawn else versions[place].number

    def stop_before(self, plan: str) -> int:
        """Return the position from which on the rows of a plan belong to the new version."""
        return max(self._stops.get(plan, ()), default=0)
