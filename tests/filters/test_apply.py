"""The row filters together: every filter of the configuration applies, and every reason is kept."""

import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION, TEXT, TEXT_CELL, reasons
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.reasons import COMMON_REASONS, OVERRIDE, PROMPT_COPY, UNPARSABLE, Reason
from skillmill.data.records import Sample
from skillmill.filters.apply import (
    apply_filters,
    apply_filters_to,
    decided_reasons,
    explanation_of,
    row_filters,
    signal_names,
    undecided,
)
from skillmill.filters.config import FiltersConfig
from skillmill.filters.options import RowFilter
from skillmill.filters.rows.too_short import TooShort
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


def test_good_rows_pass() -> None:
    assert reasons(ANSWER) == set()
    assert reasons(TEXT, TEXT_CELL) == set()


def test_every_reason_is_kept_not_only_the_first() -> None:
    assert {"too_short", "cut_off", "critique_residue"} <= reasons("Here is the refined response:")


def test_a_filter_can_be_switched_off() -> None:
    sample = Sample(QUESTION, "Talk to them.")
    off = FiltersConfig(too_short=TooShort(enabled=False))
    assert not apply_filters(sample, ADVICE_CELL, FiltersConfig()).accepted
    assert apply_filters(sample, ADVICE_CELL, off).accepted


def test_an_unusable_reply_keeps_its_one_reason() -> None:
    sample = Sample(QUESTION, "", reasons=(UNPARSABLE,))
    assert apply_filters(sample, ADVICE_CELL, FiltersConfig()) == sample


def test_stored_rows_are_decided_again_without_their_old_reasons() -> None:
    stored = Sample(QUESTION, ANSWER, reasons=(PROMPT_COPY, TooShort.reason, "custom:rude", OVERRIDE))
    assert undecided(stored).reasons == (PROMPT_COPY,)  # the generator's own stays
    again = apply_filters(undecided(apply_filters(stored, ADVICE_CELL, FiltersConfig())), ADVICE_CELL, FiltersConfig())
    assert again.reasons == (PROMPT_COPY,)


def test_each_filter_has_its_section_and_its_reason() -> None:
    assert list(row_filters()) == [
        name for name in FiltersConfig.model_fields if name not in ("near_duplicates", "custom")
    ]
    assert all(name == row_filter.reason for name, row_filter in row_filters().items())


class Shouting(RowFilter):
    """Rejects an answer with too many exclamation marks."""

    reason = Reason("shouting", "the answer shouts")
    signals = ("exclamation_marks",)

    max_marks: int = 2

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        marks = sample.response.count("!")
        return self.verdict(marks > self.max_marks, exclamation_marks=marks)


class WithShouting(FiltersConfig):
    shouting: Shouting = Shouting()


def test_a_new_filter_is_one_class_and_one_field() -> None:
    shouted = apply_filters(Sample(QUESTION, ANSWER + " Talk!!!"), ADVICE_CELL, WithShouting())
    assert shouted.reasons == ("shouting",) and shouted.signals["exclamation_marks"] == 3
    patient = WithShouting.model_validate({"shouting": {"max_marks": 3}})
    assert apply_filters(Sample(QUESTION, ANSWER + " Talk!!!"), ADVICE_CELL, patient).accepted
    assert explanation_of("shouting", WithShouting) == "the answer shouts"
    assert "shouting" in decided_reasons(WithShouting) and "exclamation_marks" in signal_names(WithShouting)
    assert undecided(shouted, WithShouting) == Sample(QUESTION, ANSWER + " Talk!!!")
    assert "shouting" not in row_filters()


def test_every_reason_is_explained() -> None:
    assert all(explanation_of(reason) for reason in decided_reasons() | {*COMMON_REASONS})
    assert explanation_of("custom:rude") == "a filter of your own said so"
    assert explanation_of("of an earlier version") == ""


ANY_TEXT = st.one_of(
    st.text(alphabet=st.characters()),
    st.lists(
        st.sampled_from(["```\n", "|", "\n", " ", "a.", "…", "\ud800", "[insert ", "I'm sorry", ":", "1. ", "\0"]),
        max_size=60,
    ).map("".join),
)


@given(ANY_TEXT, ANY_TEXT, st.sampled_from([ADVICE_CELL, TEXT_CELL]))
@settings(max_examples=200)
def test_filters_take_any_text(instruction: str, response: str, cell: Cell) -> None:
    judged = apply_filters(Sample(instruction, response), cell, FiltersConfig())
    assert all(value == value for value in judged.signals.values())  # numbers, never NaN
    not_given = {
        name for name in signal_names() if name.startswith(("evaluation_", "duplicate_"))
    }  # no sets, no other rows
    not_given |= {"language", "skills_shown", "grade_share", "ungraded"}  # nor does the cell ask for one; no grader
    assert set(judged.signals) == signal_names() - not_given - (set() if cell is ADVICE_CELL else {"shirker_score"})
    assert apply_filters(judged, cell, FiltersConfig()) == judged  # deciding again changes nothing
    assert apply_filters(undecided(judged), cell, FiltersConfig()) == judged


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.sampled_from([ADVICE_CELL, TEXT_CELL])), max_size=4))
@settings(max_examples=50)
def test_many_rows_at_once_get_the_verdicts_of_each_alone(texts: list[tuple[str, str, Cell]]) -> None:
    rows = [(Sample(instruction, response), cell) for instruction, response, cell in texts]
    rows += [(Sample(QUESTION, ANSWER), ADVICE_CELL), (Sample(QUESTION, "", reasons=(UNPARSABLE,)), ADVICE_CELL)]
    alone = [apply_filters(sample, cell, FiltersConfig()) for sample, cell in rows]
    assert apply_filters_to(rows, FiltersConfig()) == alone


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    ["!", "?\n", "\n", " ", "a ", "1. ", "```\n", "|\n", "[insert ", "i am sorry ", ". ", "\n \n", "*", ", ", "“a "],
)
def test_long_texts_take_no_time_to_speak_of(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    apply_filters(Sample(text, text), ADVICE_CELL, FiltersConfig())
