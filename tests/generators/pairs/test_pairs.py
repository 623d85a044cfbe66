"""Preference pairs from five sources: what is paired, what is dropped, and why."""

import asyncio
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError
from scripted_teacher import Scripted

from skillmill.data.reasons import PairReason, Reason
from skillmill.data.records import Sample, sample_row
from skillmill.data.schemas import PAIR_SCHEMA
from skillmill.filters.config import Shirker
from skillmill.generators.pairs.pairs import AllAsked, Asked, PairsConfig, pairs_of
from skillmill.teachers.base import RequestFailed, Sampling

ASKED = "My sourdough stays flat in winter. How can I keep the dough warm, and how do I tell that it is ready to bake?"
GOOD = (
    "Keep the dough near 25 °C: an oven with nothing but its lamp on is warm enough, and so is a cool box with a "
    "jar of hot water beside the bowl. Take its temperature with a kitchen thermometer, because a cold starter costs "
    "you an hour for every few degrees.\n\nIt is ready when it has grown by about two thirds and wobbles like custard. "
    "Press a floured finger in: a dent that fills slowly and not wholly says bake now, one that springs back says wait "
    "half an hour, and one that stays says that you are late, so put it into the oven at once."
)
DRAFT = (
    "Put the bowl somewhere warm, for example on top of the fridge or beside a radiator, and cover it with a towel so "
    "that no skin forms. It is ready when it has grown a lot and when a finger leaves a dent that fills only slowly."
)
LAZY = "It depends. There are many ways to do this. Just try a few things and see what works for you. Good luck!"


def row(**changes: Any) -> dict[str, Any]:
    sample = Sample(
        changes.pop("asked", ASKED),
        changes.pop("text", GOOD),
        changes.pop("generation", 0),
        draft=changes.pop("draft", DRAFT),
        finish_reason=changes.pop("finish_reason", "stop"),
        grade=changes.pop("grade", None),
    )
    columns: dict[str, Any] = dict.fromkeys(
        ("topic", "query_type", "difficulty", "length", "language", "parent", "operator", "prompts")
    )
    columns |= {"plan": "p", "index": 3, "cell": "c", "kind": "instruct_skill_mix", "k": 2, "skills": ["a", "b"]}
    return sample_row(sample, **(columns | {"teacher": "t", "seed": 7, "split": "train"} | changes))


def graded(generation: int, total: float, text: str, **changes: Any) -> dict[str, Any]:
    grade = {"skills": [], "on_topic": 1.0, "makes_sense": 1.0, "within_limit": 1.0, "total": total}
    return row(generation=generation, text=text, grade=grade, **changes)


def pairs(
    sources: list[str], of: dict[str, Any], *others: dict[str, Any], answer: Any = LAZY, **config: Any
) -> list[dict[str, Any]]:
    """The rows of the sources; teacher, student and grader are all answered for by `answer`, a text or a function."""
    said = answer if callable(answer) else lambda question, seed: answer
    everybody = Asked(Scripted(said), Sampling())
    if "student" in sources:
        config["student"] = {"kind": "embedded"}
    settings = PairsConfig.model_validate({"sources": sources, **config})
    made = asyncio.run(pairs_of(of, [of, *others], settings, Shirker(), AllAsked(everybody, everybody, everybody)))
    assert pa.Table.from_pylist(made, schema=PAIR_SCHEMA).num_rows == len(sources)
    return made


@pytest.mark.parametrize(
    ("source", "chosen_source", "worse"),
    [
        ("draft", "final", DRAFT),
        ("brevity", "accepted", LAZY),
        ("junk", "accepted", LAZY),
        ("student", "teacher", LAZY),
    ],
)
def test_a_pair_has_the_accepted_answer_and_a_worse_one(source: str, chosen_source: str, worse: str) -> None:
    [pair] = pairs([source], row())
    assert pair["reason"] is None
    assert (pair["chosen_source"], pair["rejected_source"]) == (chosen_source, source)
    assert pair["prompt"] == [{"role": "user", "content": ASKED}]
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (GOOD, worse)
    assert pair["chosen_words"] > pair["rejected_words"] == len(worse.split())


def test_a_student_is_asked_the_plain_prompt() -> None:
    student = Scripted(lambda question, seed: LAZY)
    config = PairsConfig.model_validate({"sources": ["student"], "student": {"model": "x.gguf"}})
    sampling = Sampling(temperature=0.1)
    asyncio.run(pairs_of(row(), [], config, Shirker(), AllAsked(student=Asked(student, sampling))))
    [request] = student.asked
    assert request.messages == row()["prompt"]
    assert (request.stage, request.sampling) == ("student", sampling)


def test_without_grades_the_margin_is_the_difference_of_shirker_scores() -> None:
    lazy, draft = pairs(["junk", "draft"], row())
    assert 0 < draft["margin"] < lazy["margin"] <= 1


@pytest.mark.parametrize("changes", [{"kind": "skill_mix"}, {"language": "German"}])
def test_where_no_score_is_calibrated_there_is_no_margin(changes: dict[str, Any]) -> None:
    [pair] = pairs(["junk"], row(**changes))
    assert (pair["margin"], pair["reason"]) == (None, None)


def test_low_grade_takes_the_answer_with_the_fewest_points_and_their_difference() -> None:
    best, low, middle = graded(2, 5.0, GOOD), graded(0, 2.5, LAZY), graded(1, 4.0, DRAFT)
    [pair] = pairs(["low_grade"], best, low, middle)
    assert (pair["chosen_source"], pair["rejected_source"]) == ("high_grade", "low_grade")
    assert (pair["rejected"][0]["content"], pair["margin"]) == (LAZY, 2.5)


def test_low_grade_prefers_an_answer_that_is_whole() -> None:
    best, broken, whole = graded(0, 5.0, GOOD), graded(1, 1.0, LAZY, finish_reason="length"), graded(2, 2.0, DRAFT)
    assert pairs(["low_grade"], best, broken, whole)[0]["rejected"][0]["content"] == DRAFT
    assert pairs(["low_grade"], best, broken)[0]["reason"] == PairReason.CUT_OFF


@pytest.mark.parametrize(
    ("of", "other", "reason"),
    [
        (row(), graded(1, 3.0, DRAFT), PairReason.NOT_GRADED),
        (graded(0, 3.0, GOOD), row(generation=1, text=DRAFT), PairReason.NOT_GRADED),
        (graded(0, 3.0, GOOD), graded(1, 3.0, DRAFT), PairReason.SAME_GRADE),
        (graded(0, 3.0, GOOD), graded(1, 1.0, DRAFT, asked="Something else?"), PairReason.NOT_GRADED),
    ],
)
def test_low_grade_needs_two_grades_that_differ(of: dict[str, Any], other: dict[str, Any], reason: PairReason) -> None:
    assert pairs(["low_grade"], of, other)[0]["reason"] == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("  \n", PairReason.EMPTY),
        (GOOD.upper(), PairReason.IDENTICAL),
        (GOOD.replace("every few degrees", "each five degrees"), PairReason.NEAR_IDENTICAL),
        (DRAFT.removesuffix(" slowly."), PairReason.CUT_OFF),
        (lambda question, seed: RequestFailed(Reason.CONTEXT_LENGTH), PairReason.NO_REPLY),
    ],
)
def test_a_pair_that_teaches_nothing_is_dropped_with_its_reason(answer: Any, reason: PairReason) -> None:
    [dropped] = pairs(["brevity"], row(), answer=answer)
    assert dropped["reason"] == reason
    assert dropped["chosen"][0]["content"] == GOOD


def test_a_row_whose_first_answer_is_final_has_no_draft_to_pair() -> None:
    assert pairs(["draft"], row(draft=None))[0]["reason"] == PairReason.NO_DRAFT


def test_a_draft_with_the_better_score_is_doubted_and_the_tolerance_says_how_much_better() -> None:
    spoilt = row(text=LAZY, draft=GOOD)
    [dropped] = pairs(["draft"], spoilt)
    assert dropped["reason"] == PairReason.ORDER_DOUBTED
    assert dropped["margin"] < -0.05
    assert pairs(["draft"], spoilt, tolerance=1.0)[0]["reason"] is None


def grader(better: Any) -> Any:
    """Answers for the teacher with `LAZY`, and as a grader by `better(A's text, B's text)`."""

    def answer(question: str, seed: int) -> Any:
        if "ANSWER A" not in question:
            return LAZY
        a, b = question.split("ANSWER A\n")[1].split("\n\nANSWER B\n")
        return better(a, b)

    return answer


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        (lambda a, b: {"because": "It helps.", "better": "A" if a == GOOD else "B"}, None),
        (lambda a, b: {"because": "It is short.", "better": "B" if a == GOOD else "A"}, PairReason.ORDER_DOUBTED),
        (lambda a, b: {"because": "It is first.", "better": "A"}, PairReason.ORDER_DOUBTED),
        (lambda a, b: {"because": "It is last.", "better": "B"}, PairReason.ORDER_DOUBTED),
        (lambda a, b: {"because": "Both are.", "better": "same"}, PairReason.ORDER_DOUBTED),
        (lambda a, b: "A is better, I think.", PairReason.UNREADABLE),
    ],
)
def test_a_check_keeps_what_the_grader_prefers_in_both_orders(better: Any, reason: PairReason | None) -> None:
    [pair] = pairs(["junk"], row(), answer=grader(better), check="always")
    assert pair["reason"] == (None if reason is None else str(reason))


def test_the_order_of_sources_and_their_ids_are_fixed() -> None:
    made = pairs(["draft", "junk"], row())
    assert [pair["rejected_source"] for pair in made] == ["draft", "junk"]
    assert made == pairs(["draft", "junk"], row())
    assert len({pair["id"] for pair in made}) == 2


def test_a_student_has_to_be_named() -> None:
    with pytest.raises(ValidationError, match="student: expected who answers"):
        PairsConfig(sources=("student",))
