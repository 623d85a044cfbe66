"""The version of a row: each row of a plan belongs to exactly one version, the first that covers its position."""

from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.export.editions import Editions
from skillmill.data.export.row_index import RowIndex
from skillmill.data.versions import PlanRange, Version, Versions


def version(number: int, stops: dict[str, int], withdrawn: bool) -> Version:
    plans = {plan: PlanRange(stop, stop, stop, "") for plan, stop in stops.items()}
    return Version(f"v{number}", None, "a", plans, [], "", "", 0, 0, {}, 0, 0, 0, None, "", withdrawn=withdrawn)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=6), st.integers(0, 40))
def test_a_row_belongs_to_the_first_version_that_covers_it(steps: list[tuple[int, int, bool]], index: int) -> None:
    stops, entries = {"a": 0, "b": 0}, []
    for number, (more_a, more_b, withdrawn) in enumerate(steps, 1):
        stops = {"a": stops["a"] + more_a, "b": stops["b"] + more_b}
        entries.append(version(number, dict(stops), withdrawn))
    editions = Editions(Versions(tuple(entries)))
    for plan in ("a", "b"):
        covering = [each for each in entries if each.plans[plan].stop > index]
        expected = len(entries) + 1 if not covering else None if covering[0].withdrawn else covering[0].number
        assert editions.of(plan, index) == expected
    assert editions.of("c", index) == len(entries) + 1


@given(st.dictionaries(st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1)), st.integers(0, 2**64 - 1))
def test_a_row_index_is_a_dictionary(numbers: dict[int, int], other: int) -> None:
    index = RowIndex()
    for key, number in numbers.items():
        index.add([f"{key:016x}"], number)
    assert {key: index.get(f"{key:016x}") for key in numbers} == numbers
    assert index.get(f"{other:016x}") == numbers.get(other)
