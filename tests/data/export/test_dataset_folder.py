"""`datasets` loads the exported folder."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from exports import card_facts, export_stores

from skillmill.data.reasons import Reason
from skillmill.data.records import Grade, PairRow, Sample, SampleRow, pair_id, row_id, sample_row
from skillmill.data.store import ShardStore, grade_store, pair_store, sample_store
from skillmill.filters.rows.echo import Echo
from skillmill.filters.rows.refusal import Refusal

PLAN = "b" * 16


def row(index: int, generation: int = 0, reasons: tuple[Reason, ...] = (), total: float | None = None) -> SampleRow:
    grade: Grade = {"skills": [], "on_topic": 1.0, "makes_sense": 1.0, "within_limit": 1.0, "total": total or 0.0}
    sample = Sample(
        f"Instruction {index}?",
        f"Answer {generation}.",
        generation,
        reasons=reasons,
        signals={"words": 2.0},
        grade=grade if total is not None else None,
    )
    columns: dict[str, Any] = dict.fromkeys(("difficulty", "length", "language", "parent", "operator"))
    columns |= {
        "plan": PLAN,
        "index": index,
        "cell": f"{index:016x}",
        "kind": "instruct_skill_mix",
        "k": 2,
        "skills": ["irony", "a|pipe <b>"],
        "topic": None,
        "query_type": "How-to",
        "teacher": "t",
        "prompts": "p",
        "seed": index,
        "split": "train",
    }
    return sample_row(sample, **columns)


def exported(root: Path, rows: list[SampleRow], pairs: list[PairRow] | None = None) -> Path:
    stores = samples, pair_rows, _ = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    if rows:
        cells = len({row["index"] for row in rows})
        samples.commit(PLAN, 0, rows[-1]["index"] + 1, rows, cells, cells)
    if pairs:
        pair_rows.commit("c" * 16, 0, 1, pairs, 1, 1)
    facts = card_facts('a "name": with\nYAML', [PLAN])
    export_stores(stores, {PLAN: "c" * 16}, facts)
    return root / "export"


def load(folder: Path, configuration: str | None = None) -> datasets.Dataset:
    return datasets.load_dataset(str(folder), configuration, split="train", cache_dir=str(folder.parent / ".hf"))


PAIR: PairRow = {
    "id": pair_id(row_id(PLAN, 1, 0), "brevity"),
    "prompt": [{"role": "user", "content": "Instruction 1?"}],
    "chosen": [{"role": "assistant", "content": "Long."}],
    "rejected": [{"role": "assistant", "content": "Short."}],
    "chosen_source": "accepted",
    "rejected_source": "brevity",
    "margin": None,
    "row": row_id(PLAN, 1, 0),
    "chosen_words": 1,
    "rejected_words": 1,
    "reason": None,
}


def test_the_default_configuration_is_sft_with_one_row_per_accepted_cell(tmp_path: Path) -> None:
    rows = [row(1), row(1, 1), row(2, reasons=(Refusal.reason,)), row(4)]
    folder = exported(tmp_path, rows, [PAIR])
    sft = load(folder)
    assert sft["index"] == [1, 4]
    assert sft["prompt"][0] == [{"role": "user", "content": "Instruction 1?"}]
    assert sft["completion"][0] == [{"role": "assistant", "content": "Answer 0."}]
    assert sft["signals"][0] == {"words": 2.0}
    assert load(folder, "rejected")["reasons"] == [["refusal"]]
    assert load(folder, "preference")["rejected_source"] == ["brevity"]


def test_the_best_grade_stands_for_its_cell_then_the_lowest_generation(tmp_path: Path) -> None:
    rows = [row(1, 0, total=3.0), row(1, 1, total=5.0), row(1, 2, total=5.0), row(2, 0), row(2, 1)]
    assert load(exported(tmp_path, rows))["generation"] == [1, 0]


@pytest.mark.parametrize("configuration", ["sft", "preference", "rejected", "grades"])
def test_every_configuration_is_there_even_when_nothing_was_made(tmp_path: Path, configuration: str) -> None:
    folder = str(exported(tmp_path, []))
    assert configuration in datasets.get_dataset_config_names(folder)
    # `datasets` 5 refuses to build a split without rows; streaming reads it.
    rows = datasets.load_dataset(folder, configuration, split="train", streaming=True)
    assert list(rows) == []
    assert "id" in rows.column_names


def test_the_card_counts_rows_and_is_valid_yaml_whatever_the_names(tmp_path: Path) -> None:
    card = (
        exported(tmp_path, [row(1), row(2, reasons=(Echo.reason, Refusal.reason))], [PAIR]) / "README.md"
    ).read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["pretty_name"] == 'a "name": with YAML'
    assert [entry["config_name"] for entry in front["configs"] if entry.get("default")] == ["sft"]
    assert "| echo | 1 |" in card
    assert "| 2 | 1 |" in card
    assert "| a&#124;pipe &lt;b&gt; | 1 |" in card


def test_a_second_export_is_the_same_and_replaces_the_first(tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    first = content(exported(tmp_path, [row(1)]))
    (tmp_path / "export" / "stray.txt").write_text("left by someone")
    store: ShardStore = sample_store(tmp_path)
    assert store.of_plan(PLAN)
    assert content(exported(tmp_path, [])) == first
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".export")]


def test_a_later_export_is_not_confused_with_a_cached_earlier_one(tmp_path: Path) -> None:
    """`datasets` caches a dataset under a name that depends on neither the folder nor the rows."""
    cache = str(tmp_path / ".hf")
    for run, index in (("first", 1), ("second", 2)):
        folder = exported(tmp_path / run, [row(index)])
        [found] = datasets.load_dataset(str(folder), split="train", cache_dir=cache)
        assert found["index"] == index
