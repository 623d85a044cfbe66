"""The draft is the answer of a row if filters reject the refined answer and none rejects the draft."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION, TEXT_CELL, example_row

from skillmill.data.export.self_records import self_record
from skillmill.data.reasons import PROMPT_COPY, PairReason
from skillmill.data.records import Sample, SampleRow, sample_of, text_of
from skillmill.filters.config import FiltersConfig
from skillmill.filters.custom import load_custom
from skillmill.flows.config import parse_config
from skillmill.flows.plan import make_plan
from skillmill.flows.rows.decide import Rules, decide
from skillmill.generators.pairs.sources import PairModels, draft
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.sources import builtin

JUDGED = (
    "The answer provides a clear and concise explanation of the milk and is well-researched. "
    "It names the shelf and the jar, and it says what to begin with on a quiet evening."
)
BETTER = f"Begin with what you saw on Tuesday and on Friday. {ANSWER}"
SAMPLE = Sample(QUESTION, JUDGED, draft=ANSWER, critique="Vague.", finish_reason="stop", draft_finish_reason="stop")
SKILL = {"skill": "metaphor", "point": 1.0, "evidence": None}
RULES = Rules(FiltersConfig())
LENIENT = Rules(FiltersConfig.model_validate({"judgement": {"enabled": False}}))


def decided(sample: Sample, rules: Rules = RULES, cell: Cell = ADVICE_CELL) -> SampleRow:
    row, _ = asyncio.run(decide(sample, example_row(sample), cell, rules))
    return row


@pytest.mark.parametrize(
    ("response", "finish_reason", "kept"),
    [
        (JUDGED, "stop", True),
        (BETTER, "length", True),
        ("Talk.", "stop", True),
        ("", "stop", True),
        ("I'm sorry, but I cannot help with that request about the milk of other people.", "stop", True),
        (BETTER, "stop", False),
    ],
)
def test_a_draft_is_kept_if_only_it_passes(response: str, finish_reason: str, kept: bool) -> None:
    row = decided(replace(SAMPLE, response=response, finish_reason=finish_reason))
    assert row["verdict"] == "accepted"
    assert row["kept"] == ("draft" if kept else None)
    answers = (ANSWER, response) if kept else (response, ANSWER)
    assert (text_of(row["completion"]), row["draft"]) == answers
    reasons = ("stop", finish_reason) if kept else (finish_reason, "stop")
    assert (row["finish_reason"], row["draft_finish_reason"]) == reasons


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        ({"draft": None}, ADVICE_CELL),
        ({"draft": " "}, ADVICE_CELL),
        ({"draft": "Talk."}, ADVICE_CELL),
        ({"draft_finish_reason": "length"}, ADVICE_CELL),
        ({"response": "", "reasons": (PROMPT_COPY,)}, ADVICE_CELL),
        ({"instruction": "Milk?"}, ADVICE_CELL),
        ({"response": "", "explanation": "It shows the skill."}, TEXT_CELL),
    ],
)
def test_a_draft_that_is_rejected_too_is_not_kept(changes: dict[str, Any], cell: Cell) -> None:
    sample = replace(SAMPLE, **changes)
    row = decided(sample, cell=cell)
    assert (row["verdict"], row["kept"], row["draft"]) == ("rejected", None, sample.draft)
    assert text_of(row["completion"]) == sample.response


def test_the_papers_way_keeps_the_refined_answer() -> None:
    row = decided(SAMPLE, Rules(FiltersConfig(), keep_draft=False))
    assert (row["reasons"], row["kept"], text_of(row["completion"])) == (["judgement"], None, JUDGED)


def test_user_defined_filters_count(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def rude(instruction, response, row):\n"
        "    return ['rude'] if 'empty on Tuesday' in row['completion'][0]['content'] else []\n"
    )
    row = decided(SAMPLE, Rules(FiltersConfig(), load_custom(("mine:rude",), tmp_path)))
    assert (row["kept"], row["reasons"]) == (None, ["judgement"])


@pytest.mark.parametrize("sample", [SAMPLE, replace(SAMPLE, finish_reason="content_filter")])
def test_stored_rows_are_decided_again_as_fresh_ones(sample: Sample) -> None:
    row = decided(sample)
    assert row["kept"] == "draft"
    again, _ = asyncio.run(decide(sample_of(row), row, ADVICE_CELL, LENIENT))
    assert again == decided(sample, LENIENT)
    assert (again["kept"], text_of(again["completion"]), again["draft"]) == (None, sample.response, ANSWER)
    back, _ = asyncio.run(decide(sample_of(again), again, ADVICE_CELL, RULES))
    assert back == row


def test_a_grade_belongs_to_the_answer_that_was_graded() -> None:
    grade = {"skills": [SKILL], "on_topic": 1.0, "makes_sense": 1.0, "within_limit": 1.0, "total": 3.0}
    row = decided(SAMPLE)
    row |= {"grade": grade, "grader": "g"}  # type: ignore[typeddict-item]
    same, _ = asyncio.run(decide(sample_of(row), row, ADVICE_CELL, RULES))
    assert (same["kept"], same["grade"]) == ("draft", grade)
    other, _ = asyncio.run(decide(sample_of(row), row, ADVICE_CELL, LENIENT))
    assert (other["kept"], other["grade"], other["grader"]) == (None, None, None)


def test_a_low_grade_does_not_bring_the_draft_back() -> None:
    low: Any = {"skills": [SKILL], "on_topic": 0.0, "makes_sense": 1.0, "within_limit": 1.0, "total": 2.0}
    row = decided(replace(SAMPLE, response=BETTER, grade=low, grader="g"))
    assert (row["kept"], row["reasons"]) == (None, ["low_grade"])
    kept = decided(SAMPLE)
    again, _ = asyncio.run(decide(replace(sample_of(kept), grade=low), kept, ADVICE_CELL, RULES))
    assert (again["kept"], again["reasons"]) == ("draft", ["low_grade"])


def test_a_kept_draft_is_no_pair_with_itself() -> None:
    row = decided(SAMPLE)
    assert asyncio.run(draft(row, [row], PairModels())) is PairReason.NO_DRAFT
    assert self_record(row) is None
    assert self_record(decided(replace(SAMPLE, response=BETTER))) is not None


def test_the_option_is_no_part_of_the_plan_but_of_the_decisions() -> None:
    passing, final = (parse_config({"generation": {"keep": keep}}) for keep in ("passing", "final"))
    taxonomy = builtin("instruct")
    assert make_plan(passing, taxonomy).fingerprint == make_plan(final, taxonomy).fingerprint
    assert Rules(FiltersConfig(), keep_draft=False).fingerprints() != RULES.fingerprints()
