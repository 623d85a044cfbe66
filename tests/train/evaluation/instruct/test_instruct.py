"""Answers to held-out instructions: from the rows of an export to verdicts, counts and metrics."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION
from exports import export_stores, row_of
from scripted_teacher import Scripted

from skillmill.data.errors import ConfigError
from skillmill.data.reasons import TRANSPORT
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.filters.grading.grade import Grader
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.teachers.base import RequestFailed, Sampling
from skillmill.train.evaluation.instruct.answers import INSTRUCT_SCHEMA, REFERENCE, InstructExaminer, InstructRow
from skillmill.train.evaluation.instruct.items import InstructItem, held_out_items
from skillmill.train.evaluation.instruct.judge import Judge, judge_prompts
from skillmill.train.evaluation.instruct.metrics import instruct_metrics, metrics_of
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap

SAMPLING, BOOTSTRAP = Sampling(), Bootstrap(draws=100)
ITEM = InstructItem("r1", "validation", [{"role": "user", "content": QUESTION}], ANSWER, ADVICE_CELL)
BETTER, WORSE = "A good answer. {{ 7 * 7 }}", "A bad answer."


def says(choice: object) -> dict[str, object]:
    return {"because": "It is so.", "better": choice}


def prefers(wanted: str) -> Callable[[str, int], object]:
    """A grader without order bias: it prefers the answer with the wanted text."""

    def answer(question: str, seed: int) -> object:
        first = question.partition("<answer_b>")[0]
        return says("A" if wanted in first else "B" if wanted in question else "same")

    return answer


def ask(answer: str | Exception, grader: Callable[[str, int], object], grade: Grader | None = None) -> InstructRow:
    student = Scripted(lambda question, seed: answer, name="student")
    examiner = InstructExaminer("student", student, SAMPLING, Judge(Scripted(grader), SAMPLING), grade)
    return asyncio.run(examiner.examine(ITEM))


@pytest.mark.parametrize(
    ("grader", "verdicts", "score"),
    [
        (prefers(BETTER), ("A", "B"), 1.0),
        (prefers(ANSWER), ("B", "A"), 0.0),
        (lambda question, seed: says("same"), ("same", "same"), 0.5),
        (lambda question, seed: says("A"), ("A", "A"), 0.5),
        (
            lambda question, seed: says("same" if BETTER in question.partition("<answer_b>")[0] else "B"),
            ("same", "B"),
            0.75,
        ),
        (lambda question, seed: "Both have merits.", ("unreadable", "unreadable"), None),
        (lambda question, seed: says("neither of them"), ("unreadable", "unreadable"), None),
        (lambda question, seed: "I'm sorry, but I cannot compare these.", ("refused", "refused"), None),
        (lambda question, seed: RequestFailed(TRANSPORT, "gone"), ("failed", "failed"), None),
    ],
)
def test_the_verdicts_of_both_orders(
    grader: Callable[[str, int], object], verdicts: tuple[str, str], score: float | None
) -> None:
    row = ask(BETTER, grader)
    assert (row["first"], row["second"], row["score"]) == (*verdicts, score)
    assert row["answer"] == BETTER


def test_an_empty_answer_loses_and_a_failed_one_does_not_count() -> None:
    empty = ask("", prefers(ANSWER))
    assert (empty["first"], empty["score"], empty["shirker_score"]) == (None, 0.0, 1.0)
    failed = ask(RequestFailed(TRANSPORT, "gone"), prefers(ANSWER))
    assert (failed["answer"], failed["score"]) == (None, None)
    assert "gone" in failed["failure"]


def test_a_verdict_that_the_answer_asks_for_is_data() -> None:
    judged: list[str] = []

    def grader(question: str, seed: int) -> object:
        judged.append(question)
        return says("same")

    ask(BETTER, grader)
    assert all(BETTER in question for question in judged)  # the braces are not rendered


def test_answers_and_references_are_scored_and_graded() -> None:
    points = {"evidence": "a shared jar for coffee", "shown": True}
    reply: dict[str, object] = {"skills": {skill.name: points for skill in ADVICE_CELL.skills}}
    reply |= dict.fromkeys(("helpful", "correct", "plausible", "self_contained", "answerable", "complete"), True)
    grader = Grader(Scripted(lambda question, seed: reply), SAMPLING)
    examiner = InstructExaminer(REFERENCE, None, SAMPLING, Judge(Scripted(prefers("")), SAMPLING), grader)
    row = asyncio.run(examiner.examine(ITEM))
    assert (row["answer"], row["first"], row["score"]) == (ANSWER, None, None)
    assert row["shirker_score"] is not None
    assert row["grade"] is not None
    assert row["grade"]["on_topic"] == 1.0
    assert pa.Table.from_pylist([row], INSTRUCT_SCHEMA).to_pylist() == [row]


def a_row(item: str, first: str | None, second: str | None, score: float | None, **others: Any) -> InstructRow:
    row = ask(BETTER, prefers(BETTER))
    return {**row, "id": item, "first": first, "second": second, "score": score, **others}  # type: ignore[typeddict-item]


ROWS = [
    a_row("1", "A", "B", 1.0),
    a_row("2", "A", "A", 0.5),
    a_row("3", "same", "A", 0.25),
    a_row("4", "unreadable", "A", None),
    a_row("5", None, None, 0.0, answer=" "),
    a_row("6", None, None, None, answer=None, failure="gone", shirker_score=None, split="test"),
]


def test_the_metrics_count_everything() -> None:
    found = metrics_of(ROWS, {}, BOOTSTRAP)
    assert found["win_rate"]["value"] == pytest.approx((1 + 0.5 + 0.25 + 0) / 4)
    assert found["win_rate"]["n"] == found["length_controlled_win_rate"]["n"] == 4
    # Of the six verdicts, the answer that stands first is preferred in A, A, A, half of "same", A, and not in B.
    assert found["first_place"]["value"] == pytest.approx((0.5 + 1 + 0.75) / 3)
    assert found["shirker_score"]["n"] == 5
    assert "grade" not in found
    assert found["counts"] == {
        "items": 6,
        "failed_answers": 1,
        "empty_answers": 1,
        "judged": 4,
        "wins": 1,
        "half_wins": 0,
        "ties": 1,
        "contradictory": 1,
        "half_losses": 1,
        "losses": 1,
        "unreadable": 1,
        "refused": 0,
        "failed": 0,
    }


def test_metrics_by_role_and_split() -> None:
    baseline: list[InstructRow] = [{**row, "role": "baseline"} for row in ROWS]
    references: list[InstructRow] = [{**ROWS[0], "role": REFERENCE, "first": None, "second": None, "score": None}]
    found = instruct_metrics([*ROWS, *baseline, *references], BOOTSTRAP)
    assert list(found["student"]) == ["all", "test", "validation"]
    assert found["student"]["test"]["counts"]["items"] == 1
    assert "win_rate" not in found["student"]["test"]
    assert "win_rate" not in found[REFERENCE]["all"]
    assert found[REFERENCE]["all"]["shirker_score"]["n"] == 1
    assert found["student"]["all"]["length_controlled_win_rate"]["coefficients"]["difficulty"] is not None
    alone = instruct_metrics(ROWS, BOOTSTRAP)["student"]["all"]
    assert alone["length_controlled_win_rate"]["coefficients"]["difficulty"] is None


@pytest.fixture
def export(tmp_path: Path) -> Path:
    samples = sample_store(tmp_path)
    samples.recover()
    samples.commit("a" * 16, 0, 40, [row_of("a" * 16, i) for i in range(40)], 40, 40)
    export_stores((samples, pair_store(tmp_path), grade_store(tmp_path)), {"a" * 16: "b" * 16}, validation=0.4)
    return tmp_path / "export"


def test_the_items_are_held_out_rows(export: Path) -> None:
    irony = Skill(name="irony", definition="saying the opposite")
    items = held_out_items(export, ("validation", "test"), 1000, 0, {"irony": irony})
    assert 8 <= len(items) <= 24
    assert {item.split for item in items} == {"validation"}
    item = items[0]
    assert item.cell.skills == (irony,)
    number = item.instruction.removeprefix("Instruction ").rstrip("?")
    assert item.reference == f"Answer {number}."
    assert [each.id for each in held_out_items(export, ("validation",), 5, 0, {})] == [each.id for each in items[:5]]
    assert [each.id for each in held_out_items(export, ("validation",), 5, 1, {})] != [each.id for each in items[:5]]


def test_no_held_out_rows_are_an_error(export: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.instruct: .* has no rows in test; .* export\.validation"):
        held_out_items(export, ("test",), 10, 0, {})


def test_prompts_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "compare.jinja").write_text("{{ request }} {{ a }} {{ b }}")
    prompts = judge_prompts(str(tmp_path))
    assert prompts.render("compare", request="{{ 1 }}", a="x", b="y") == "{{ 1 }} x y"
    (tmp_path / "other.jinja").write_text("")
    with pytest.raises(ConfigError, match=r"evaluate\.instruct\.prompts: .*other\.jinja replaces no prompt"):
        judge_prompts(str(tmp_path))
    with pytest.raises(ConfigError, match=r"evaluate\.instruct\.prompts: cannot read"):
        judge_prompts(str(tmp_path / "nowhere"))
