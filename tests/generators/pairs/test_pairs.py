"""Preference pairs from all sources: which pairs are built, and which are dropped for which reason."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError
from scripted_teacher import Scripted

from skillmill.data.reasons import CONTEXT_LENGTH, PairReason
from skillmill.data.records import PairRow, Sample, SampleRow, sample_row, text_of
from skillmill.data.schemas import PAIR_SCHEMA
from skillmill.filters.shirker.filter import Shirker
from skillmill.generators.pairs.config import PairsConfig
from skillmill.generators.pairs.pairs import build_pairs
from skillmill.generators.pairs.sources import SOURCES, PairModel, PairModels, PairSource, RejectedAnswer
from skillmill.teachers.base import RequestFailed, Sampling

INSTRUCTION = (
    "My sourdough stays flat in winter. How can I keep the dough warm, and how do I tell that it is ready to bake?"
)
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


def row(**changes: Any) -> SampleRow:
    sample = Sample(
        changes.pop("instruction", INSTRUCTION),
        changes.pop("text", GOOD),
        changes.pop("generation", 0),
        draft=changes.pop("draft", DRAFT),
        finish_reason=changes.pop("finish_reason", "stop"),
        grade=changes.pop("grade", None),
    )
    columns: Any = dict.fromkeys(
        ("topic", "query_type", "difficulty", "length", "language", "parent", "operator", "prompts")
    )
    columns |= {"plan": "p", "index": 3, "cell": "c", "kind": "instruct_skill_mix", "k": 2, "skills": ["a", "b"]}
    return sample_row(sample, **(columns | {"teacher": "t", "seed": 7, "split": "train"} | changes))


def graded(generation: int, total: float, text: str, **changes: Any) -> SampleRow:
    grade = {"skills": [], "on_topic": 1.0, "makes_sense": 1.0, "within_limit": 1.0, "total": total}
    return row(generation=generation, text=text, grade=grade, **changes)


def pairs(
    sources: list[str], accepted: SampleRow, *others: SampleRow, answer: Any = LAZY, **config: Any
) -> list[PairRow]:
    """Build the pairs of a row; `answer`, a text or a function, answers as teacher, student and grader."""
    model = PairModel(Scripted(answer if callable(answer) else lambda question, seed: answer), Sampling())
    if "student" in sources:
        config["student"] = {"kind": "embedded"}
    settings = PairsConfig.model_validate({"sources": sources, **config})
    models = PairModels(model, model, model)
    built = asyncio.run(build_pairs(accepted, [accepted, *others], settings, Shirker(), models))
    assert pa.Table.from_pylist(built, schema=PAIR_SCHEMA).num_rows == len(sources)
    return built


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
    assert pair["prompt"] == [{"role": "user", "content": INSTRUCTION}]
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (GOOD, worse)
    assert pair["rejected_words"] == len(worse.split())
    assert pair["chosen_words"] is not None and pair["chosen_words"] > pair["rejected_words"]


def test_a_student_is_asked_the_plain_prompt() -> None:
    student = Scripted(lambda question, seed: LAZY)
    config = PairsConfig.model_validate({"sources": ["student"], "student": {"model": "x.gguf"}})
    sampling = Sampling(temperature=0.1)
    asyncio.run(build_pairs(row(), [], config, Shirker(), PairModels(student=PairModel(student, sampling))))
    [request] = student.asked
    assert request.messages == row()["prompt"]
    assert (request.stage, request.sampling) == ("student", sampling)


def test_without_grades_the_margin_is_the_difference_of_shirker_scores() -> None:
    lazy, draft = pairs(["junk", "draft"], row())
    assert draft["margin"] is not None and lazy["margin"] is not None
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
    ("accepted", "other", "reason"),
    [
        (row(), graded(1, 3.0, DRAFT), PairReason.NOT_GRADED),
        (graded(0, 3.0, GOOD), row(generation=1, text=DRAFT), PairReason.NOT_GRADED),
        (graded(0, 3.0, GOOD), graded(1, 3.0, DRAFT), PairReason.SAME_GRADE),
        (graded(0, 3.0, GOOD), graded(1, 1.0, DRAFT, instruction="Something else?"), PairReason.NOT_GRADED),
    ],
)
def test_low_grade_needs_two_grades_that_differ(accepted: SampleRow, other: SampleRow, reason: PairReason) -> None:
    assert pairs(["low_grade"], accepted, other)[0]["reason"] == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("  \n", PairReason.EMPTY),
        (GOOD.upper(), PairReason.IDENTICAL),
        (GOOD.replace("every few degrees", "each five degrees"), PairReason.NEAR_IDENTICAL),
        (DRAFT.removesuffix(" slowly."), PairReason.CUT_OFF),
        (lambda question, seed: RequestFailed(CONTEXT_LENGTH), PairReason.NO_REPLY),
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
    assert dropped["margin"] is not None and dropped["margin"] < -0.05
    assert pairs(["draft"], spoilt, tolerance=1.0)[0]["reason"] is None


def grader(better: Any) -> Any:
    """Return an answer function: `LAZY` as the teacher, `better(A's text, B's text)` as the grader."""

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


def test_a_new_source_is_a_function_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_sentence(
        row: SampleRow, cell: Sequence[SampleRow], models: PairModels
    ) -> RejectedAnswer | PairReason:
        return RejectedAnswer(text_of(row["completion"]).split(". ")[0] + ".")

    monkeypatch.setitem(SOURCES, "first_sentence", PairSource(first_sentence, chosen_source="whole"))
    [pair] = pairs(["first_sentence"], row())
    assert (pair["chosen_source"], pair["rejected_source"], pair["reason"]) == ("whole", "first_sentence", None)


@pytest.mark.parametrize("name", ["drafts", 1, ["draft"], None])
def test_an_unknown_source_is_an_error_that_lists_the_known_ones(name: Any) -> None:
    message = "Input should be 'draft', 'brevity', 'junk', 'low_grade' or 'student'"
    with pytest.raises(ValidationError) as raised:
        PairsConfig(sources=(name,))
    [error] = raised.value.errors()
    assert (error["loc"], error["type"], error["msg"]) == (("sources", 0), "literal_error", message)


@pytest.mark.parametrize(
    ("config", "roles"),
    [
        ({}, set()),
        ({"sources": ["draft", "low_grade"], "check": "always"}, {"grader"}),
        ({"sources": ["brevity", "student"], "student": {"kind": "embedded"}}, {"teacher", "student"}),
        ({"sources": ["junk"], "check": "always", "share": 0}, set()),
    ],
)
def test_the_roles_are_those_that_sources_and_check_need(config: dict[str, Any], roles: set[str]) -> None:
    assert PairsConfig.model_validate(config).roles == roles
