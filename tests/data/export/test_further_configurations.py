"""Counts of dropped pairs, and the configurations `self` and `stress`."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from exports import export_stores

from skillmill.data.export.funnel import Funnel
from skillmill.data.export.self_records import feedback, self_record
from skillmill.data.export.sft_rows import AnswersByPlan
from skillmill.data.records import PairRow, Sample, SampleRow, StressAnswerRow, pair_id, row_id, sample_row
from skillmill.data.store import grade_store, pair_store, sample_store

PLAN, PAIRS = "b" * 16, "c" * 16


def row(index: int, reasons: tuple[str, ...] = (), **sample: Any) -> SampleRow:
    result = Sample(f"Instruction {index}?", f"Refined {index}.", reasons=reasons, **sample)
    columns: dict[str, Any] = dict.fromkeys(
        ("topic", "difficulty", "length", "language", "parent", "operator", "prompts", "teacher")
    )
    columns |= {
        "split": "train",
        "plan": PLAN,
        "index": index,
        "cell": f"{index}",
        "kind": "instruct_skill_mix",
        "k": 2,
        "seed": index,
    }
    return sample_row(result, **columns, skills=["irony", "haiku"], query_type="How-to")


def pair(index: int, source: str, reason: str | None = None) -> PairRow:
    row = row_id(PLAN, index, 0)
    return {
        "id": pair_id(row, source),
        "prompt": [{"role": "user", "content": f"Instruction {index}?"}],
        "chosen": [{"role": "assistant", "content": f"Refined {index}."}],
        "rejected": [{"role": "assistant", "content": "Short."}],
        "chosen_source": "accepted",
        "rejected_source": source,
        "margin": 0.5,
        "row": row,
        "chosen_words": 2,
        "rejected_words": 1,
        "reason": reason,
    }


def exported(
    root: Path,
    rows: list[SampleRow],
    pairs: list[PairRow] | None = None,
    stress: AnswersByPlan | None = None,
) -> tuple[Path, Funnel]:
    stores = samples, pair_rows, _ = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    samples.commit(PLAN, 0, rows[-1]["index"] + 1, rows, len(rows), len(rows))
    if pairs:
        pair_rows.commit(PAIRS, 0, 1, pairs, 1, 1)

    def mask(text: str) -> str:
        return text.replace("me@example.com", "[masked]")

    return root / "export", export_stores(stores, {PLAN: PAIRS}, mask=mask, stress=stress).funnel


def load(folder: Path, configuration: str) -> datasets.Dataset:
    return datasets.load_dataset(str(folder), configuration, split="train", cache_dir=str(folder.parent / ".hf"))


def test_dropped_pairs_are_counted_and_not_exported(tmp_path: Path) -> None:
    pairs = [pair(1, "brevity"), pair(2, "brevity", "cut_off"), pair(1, "draft", "no_draft"), pair(3, "brevity")]
    folder, funnel = exported(tmp_path, [row(1), row(2), row(3, ("refusal",))], pairs)
    assert load(folder, "preference")["id"] == [pair_id(row_id(PLAN, 1, 0), "brevity")]
    assert funnel.pairs == 1
    counts = funnel.as_dict()["preference"]
    assert (counts["brevity"]["pairs"], counts["brevity"]["dropped"]) == (1, {"cut_off": 1})
    assert counts["draft"]["dropped"] == {"no_draft": 1}
    card = (folder / "README.md").read_text()
    assert "| brevity | 1 | 1 | 2 | 1 | 2.00 | 100% | 0.50 |" in card
    assert "| draft | 0 | 1 | – | – | – | – | – |" in card
    assert "| brevity | cut_off | 1 |" in card


def test_self_has_the_answer_its_feedback_and_the_refined_answer(tmp_path: Path) -> None:
    critique = '{"strengths": "It is short.", "weaknesses": "Ask me@example.com."}'
    rows = [row(1, draft="First.", critique=critique), row(2, draft="First."), row(3, critique="None.")]
    folder, funnel = exported(tmp_path, rows)
    assert load(folder, "self").to_list() == [
        {
            "id": row_id(PLAN, 1, 0),
            "instruction": "Instruction 1?",
            "answer": "First.",
            "feedback": "Strengths: It is short.\nWeaknesses: Ask [masked].",
            "refined_answer": "Refined 1.",
        }
    ]
    assert funnel.self_records == 1


@pytest.mark.parametrize(
    ("critique", "expected"),
    [
        ('{"good_enough": false, "weaknesses": " Too vague. "}', "Weaknesses: Too vague."),
        ('{"good_enough": false}', '{"good_enough": false}'),
        ('{"weaknesses": "cut', '{"weaknesses": "cut'),
        ("It is vague.", "It is vague."),
        ("[1]", "[1]"),
    ],
)
def test_feedback_is_in_plain_words(critique: str, expected: str) -> None:
    assert feedback(critique) == expected
    record = self_record(row(1, draft="First.", critique=critique))
    assert record is not None
    assert record["feedback"] == expected


def stress_answer(index: int, text: str) -> StressAnswerRow:
    return {"row": row_id(PLAN, index, 0), "index": index, "source": "junk", "text": text}


def test_stress_has_the_sft_rows_with_some_answers_replaced_and_marked(tmp_path: Path) -> None:
    rows = [row(1), row(2, ("refusal",)), row(4), row(6), row(7)]
    answers = [stress_answer(2, "Gone."), stress_answer(4, "Ask me@example.com."), stress_answer(6, "")]
    folder, funnel = exported(tmp_path, rows, stress={PLAN: answers})
    stress, sft = load(folder, "stress"), load(folder, "sft")
    assert stress["id"] == sft["id"]
    assert stress["prompt"] == sft["prompt"]
    assert [completion[0]["content"] for completion in stress["completion"]] == [
        "Refined 1.",
        "Ask [masked].",
        "Refined 6.",
        "Refined 7.",
    ]
    assert stress["replaced_by"] == [None, "junk", None, None]
    assert funnel.stress == {"junk": 1}
    card = (folder / "README.md").read_text()
    assert "in 1 of them the answer `replaced_by` a low-effort one (junk: 1) | 4 |" in card


def test_the_default_is_sft_and_stress_exists_only_if_requested(tmp_path: Path) -> None:
    requested: tuple[AnswersByPlan | None, ...] = (None, {PLAN: [stress_answer(1, "Whatever.")]})
    for number, stress in enumerate(requested):
        folder, _ = exported(
            tmp_path / f"{number}", [row(1, draft="First.", critique="Vague.")], [pair(1, "junk")], stress
        )
        front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
        assert [each["config_name"] for each in front["configs"] if each.get("default")] == ["sft"]
        names = datasets.get_dataset_config_names(str(folder))
        assert ("stress" in names) == (stress is not None)
        for name in set(names) - {"rejected", "grades"}:  # `datasets` refuses to build a split without rows
            assert len(load(folder, name)) == 1
