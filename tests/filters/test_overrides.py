"""`overrides.jsonl` takes precedence over the filters, and a bad line is named."""

from pathlib import Path
from typing import Any, cast

import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.records import SampleRow
from skillmill.filters.overrides import FILE_NAME, Override, Overrides, read_overrides


def row(reasons: list[str], completion: bool = True) -> SampleRow:
    messages: list[Any] = [{"role": "assistant", "content": "Talk to them."}] if completion else []
    return cast(SampleRow, {"id": "a1", "reasons": reasons, "completion": messages, "verdict": "?"})


@pytest.mark.parametrize(
    ("override", "reasons", "expected", "verdict"),
    [
        (None, [], [], "accepted"),
        (None, ["too_short"], ["too_short"], "rejected"),
        ("accepted", ["too_short"], ["too_short"], "accepted"),
        ("rejected", [], ["override"], "rejected"),
        ("rejected", ["too_short", "override"], ["too_short", "override"], "rejected"),
        (None, ["override"], [], "accepted"),  # the override was removed from the file
    ],
)
def test_an_override_takes_precedence(override: Any, reasons: list[str], expected: list[str], verdict: str) -> None:
    by_id = {"a1": Override(id="a1", verdict=override)} if override else {}
    decided = Overrides(by_id).apply(row(reasons))
    assert (decided["reasons"], decided["verdict"]) == (expected, verdict)


def test_a_row_without_an_answer_stays_rejected() -> None:
    overrides = Overrides({"a1": Override(id="a1", verdict="accepted")})
    assert overrides.apply(row(["transport"], completion=False))["verdict"] == "rejected"


def test_the_last_line_for_a_row_counts(tmp_path: Path) -> None:
    assert read_overrides(tmp_path) == Overrides()
    lines = '\ufeff{"id": "a1", "verdict": "accepted"}\n\n{"id": "a1", "verdict": "rejected", "note": "rude"}\n'
    (tmp_path / FILE_NAME).write_text(lines, encoding="utf-8")
    overrides = read_overrides(tmp_path)
    assert overrides.by_id == {"a1": Override(id="a1", verdict="rejected", note="rude")}
    assert overrides.lines == {"a1": 3}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", 'overrides.jsonl:1: expected an object such as {"id"'),
        ('{"id": "a1", "verdict": "maybe"}', "overrides.jsonl:1: verdict: input should be 'accepted' or 'rejected'"),
        ('{"id": "a1", "verdict": "accepted", "why": ""}', "overrides.jsonl:1: why: unknown key, expected id, verdict"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / FILE_NAME).write_text(line)
    with pytest.raises(ConfigError) as caught:
        read_overrides(tmp_path)
    assert str(caught.value).startswith(message)
