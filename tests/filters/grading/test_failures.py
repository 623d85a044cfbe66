"""Gradings that fail: what is quoted, when it is warned of, and what happens to the row."""

import logging

import pytest

from skillmill.data.errors import SkillmillError
from skillmill.data.records import Sample
from skillmill.filters.grading.config import GradingConfig, OnFailure
from skillmill.filters.grading.failures import FailureWarning, decide_ungraded, excerpt
from skillmill.filters.grading.grade import SingleGrading
from skillmill.filters.grading.points import Points

GOOD = SingleGrading(0, "judge", Points((), 1, 1, 1), "{}")
BAD = SingleGrading(0, "judge", None, "Very nice.")
NO_REPLY = SingleGrading(0, "judge", None, None, "HTTP 503: busy")
BY_RULES = SingleGrading(0, "rules", Points((), 1, 1, 1), "")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("one\r\ntwo\u2028three", "one two three"),
        ("\x1b[1;31mred\x1b[0m and \x1b]8;;http://a\x07linked", "red and linked"),
        ("left\u202eright\x00", "left right"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("\x1b[" * 100_000, "[" * 99 + "…"),
    ],
)
def test_an_excerpt_is_one_short_line(text: str, quoted: str) -> None:
    assert excerpt(text) == quoted or set(excerpt(text)) <= set("[ …")
    assert len(excerpt(text)) <= 100


@pytest.mark.parametrize(
    ("gradings", "warned"),
    [
        ([BAD] * 6, "6 of the first 6"),
        ([GOOD] * 4 + [BAD] * 6, "6 of the first 10"),
        ([GOOD] * 5 + [BAD] * 20, ""),
        ([BAD] * 5 + [GOOD] * 5 + [BAD] * 20, ""),
        ([BY_RULES] * 20 + [NO_REPLY] * 30, "6 of the first 6"),
        ([BAD, BAD, GOOD], "2 of the first 3"),  # fewer than ten in all
        ([BAD, GOOD], ""),
        ([BY_RULES] * 3, ""),
        ([], ""),
    ],
)
def test_most_of_the_first_gradings_are_warned_of_once(
    caplog: pytest.LogCaptureFixture, gradings: list[SingleGrading], warned: str
) -> None:
    warning = FailureWarning("reject")
    with caplog.at_level(logging.WARNING, "skillmill"):
        for grading in gradings:
            warning.add([grading])
        warning.end()
    assert len(caplog.messages) == bool(warned)
    assert all(warned in message for message in caplog.messages)


@pytest.mark.parametrize(
    ("when", "given", "rule"),
    [("always", None, "reject"), ("unsure", None, "keep"), ("never", None, "keep"), ("unsure", "stop", "stop")],
)
def test_the_default_depends_on_when(when: str, given: OnFailure | None, rule: OnFailure) -> None:
    assert GradingConfig.model_validate({"when": when, "on_failure": given}).failure_rule == rule


def test_a_row_without_a_grade_is_kept_rejected_or_ends_the_run() -> None:
    sample = Sample("Why?", "Because.")
    assert decide_ungraded(sample, [BAD], "0a", "keep") == sample
    assert decide_ungraded(sample, [BAD], "0a", "reject").reasons == ("not_graded",)
    with pytest.raises(SkillmillError, match=r"^grading: .*row 0a: the grader judge replied “Very nice\.”; [^\n]*$"):
        decide_ungraded(sample, [BAD], "0a", "stop")
    with pytest.raises(SkillmillError, match=r"gave no reply \(HTTP 503: busy\)"):
        decide_ungraded(sample, [NO_REPLY], "0a", "stop")
