"""One warning if most rows fall for one reason."""

from typing import Any, cast

import pytest

from skillmill.data.records import SampleRow
from skillmill.flows.rows.reason_warning import ReasonWarning


def rows(*reasons: list[str]) -> list[SampleRow]:
    return [cast("SampleRow", {"reasons": each}) for each in reasons]


def warnings(caplog: Any, *reasons: list[str], end: bool = True) -> list[str]:
    caplog.clear()
    warning = ReasonWarning()
    for row in rows(*reasons):
        warning.add([row])
    if end:
        warning.end()
    return [record.message for record in caplog.records]


BAD, GOOD = ["unparsable"], list[str]()


@pytest.mark.parametrize(
    ("reasons", "count"),
    [
        ([BAD] * 200, 1),
        ([BAD] * 12, 1),
        ([BAD] * 9, 1),  # no row was accepted
        ([BAD] * 8 + [GOOD], 0),
        ([BAD, GOOD] * 100, 0),
        ([BAD, GOOD, BAD] * 100, 1),
        ([GOOD] * 1000 + [BAD] * 26, 1),
        ([GOOD] * 1000 + [BAD] * 25, 0),
        ([["unparsable", "refusal"]] * 60, 2),
        ([["too_short"], ["refusal"], ["empty"]] * 60, 1),
        ([["too_short"], ["refusal"], ["empty"], GOOD] * 60, 0),
    ],
)
def test_a_reason_of_more_than_half_of_the_last_rows_is_named_once(
    caplog: pytest.LogCaptureFixture, reasons: list[list[str]], count: int
) -> None:
    assert len(warnings(caplog, *reasons)) == count


def test_the_warning_says_the_reason_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    [line] = warnings(caplog, *[BAD] * 12)
    assert line.startswith("warning: 12 of the last 12 rows are rejected as unparsable (the reply does not have the")
    assert "use a larger teacher" in line
    [line] = warnings(caplog, *[["custom:mine"]] * 50, end=False)
    assert "custom:mine (a filter of your own said so): read some of these rows" in line
