"""Order, phases, markers and empty prompts of the rows that a student is trained on."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.records import text_of
from skillmill.train.config import GrpoConfig, SftConfig
from skillmill.train.job import Job
from skillmill.train.quiet import require_extra
from skillmill.train.rows.finish import finished_rows, training_order
from skillmill.train.rows.load import check_rows, load_job_rows, rows_checksum

from ..conftest import ROOMY, config
from ..tiny_students import write_student
from .conftest import job_of


def finished(export: Path, work: Path, seed: int = 7, **settings: Any) -> list[dict[str, Any]]:
    job = replace(job_of("sft", export, SftConfig.model_validate(settings)), seed=seed)
    check_rows(job)
    rows = finished_rows(job, load_job_rows(job, work).dataset)
    assert rows.column_names == ["prompt", "completion"]
    return list(rows)


def lines(folder: Path, count: int, name: str = "general", **columns: Any) -> str:
    file = folder / f"{name}.jsonl"
    rows = [{"prompt": f"{name} {n}?", "completion": "Yes.", **columns} for n in range(count)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return str(file)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [text_of(row["prompt"]).split()[0] for row in rows]


def test_rows_are_trained_in_the_order_of_a_column(export: Path, tmp_path: Path) -> None:
    job = job_of("sft", export, SftConfig(order="k"))
    rows = load_job_rows(job, tmp_path).dataset
    order = training_order(job, rows)
    assert order is not None
    values = [rows[int(place)]["k"] for place in order]
    assert values == sorted(values) and len(set(values)) > 1
    assert sorted(order) == list(range(len(rows)))
    other = training_order(replace(job, seed=8), rows)
    assert other is not None and list(other) != list(order)  # rows with equal values are shuffled
    assert list(training_order(job, rows)) == list(order)  # type: ignore[arg-type]


def test_rows_of_others_are_ordered_by_a_column_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    hard = [3, None, 1, 2]
    file.write_text(
        "\n".join(json.dumps({"prompt": f"{n}", "completion": "x", "hardness": value}) for n, value in enumerate(hard))
    )
    rows = finished(tmp_path / "none", tmp_path / "work", data=str(file), order="hardness")
    assert [text_of(row["prompt"]) for row in rows] == ["2", "3", "0", "1"]


def test_phases_come_one_after_the_other_and_rehearse_earlier_rows(export: Path, tmp_path: Path) -> None:
    general = lines(tmp_path, 30)
    phases = [{"data": "export", "epochs": 2}, {"data": general, "rehearsal": 0.1}]
    rows = finished(export, tmp_path / "work", phases=phases)
    skills = len(finished(export, tmp_path / "own"))
    first, second = rows[: 2 * skills], rows[2 * skills :]
    assert set(names(first)) == {"Instruction"}
    assert Counter(text_of(row["prompt"]) for row in first).most_common(1)[0][1] == 2
    assert first[:skills] != first[skills:]  # each epoch has an order of its own
    assert Counter(names(second)) == {"general": 30, "Instruction": round(0.1 * skills)}
    assert names(second)[-round(0.1 * skills) :] != ["Instruction"] * round(0.1 * skills)  # mixed in
    assert rows == finished(export, tmp_path / "again", phases=phases)


def test_a_small_rehearsal_has_a_row(export: Path, tmp_path: Path) -> None:
    phases = [{"data": "export"}, {"data": lines(tmp_path, 3), "rehearsal": 1 / 256}]
    assert Counter(names(finished(export, tmp_path / "work", phases=phases)[-4:])) == {"general": 3, "Instruction": 1}


def test_markers_follow_the_prompt_and_are_dropped_at_random(export: Path, tmp_path: Path) -> None:
    markers = {"columns": ["k", "skills"], "rows": 0.5, "dropout": 0.5}
    rows = finished(export, tmp_path / "work", markers=markers)
    plain = {text_of(row["prompt"]) for row in finished(export, tmp_path / "plain")}
    ends = Counter()  # type: ignore[var-annotated]
    for row in rows:
        text, _, marks = text_of(row["prompt"]).partition("\n\n")
        assert text in plain
        ends[("k" if "[k: " in marks else "") + ("skills" if "[skills: irony]" in marks else "")] += 1
    assert set(ends) == {"", "k", "skills", "kskills"}
    assert ends[""] > len(rows) / 3
    assert rows == finished(export, tmp_path / "again", markers=markers)
    assert rows != finished(export, tmp_path / "other", seed=8, markers=markers)
    every = finished(export, tmp_path / "every", markers={"columns": ["k"], "rows": 1, "dropout": 0})
    assert all(text_of(row["prompt"]).endswith("]") for row in every)


def test_the_control_has_the_answers_without_their_prompts(export: Path, tmp_path: Path) -> None:
    rows = finished(export, tmp_path / "work", response_only=True)
    assert {text_of(row["prompt"]) for row in rows} == {""}
    plain = finished(export, tmp_path / "plain")
    assert [row["completion"] for row in rows] == [row["completion"] for row in plain]
    system = {"role": "system", "content": "Be brief."}
    file = tmp_path / "chat.jsonl"
    file.write_text(
        json.dumps({"messages": [system, {"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]})
    )
    (row,) = finished(export, tmp_path / "chat", data=str(file), response_only=True)
    assert row["prompt"] == [system, {"role": "user", "content": ""}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "hardness"}, "train.sft.order: no row has a value in the column 'hardness'"),
        ({"markers": {"columns": ["k", "mood"]}}, "train.sft.markers.columns: no row has a value in the column 'mood'"),
    ],
)
def test_a_column_that_no_set_has_is_named(
    settings: dict[str, Any], message: str, export: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        finished(export, tmp_path / "work", **settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"phases": [{}]}, "at least 2 items"),
        ({"phases": [{"rehearsal": 0.1}, {}]}, "phases.0.rehearsal: expected 0, as there are no earlier rows"),
        ({"phases": [{}, {}], "data": "x"}, "phases: expected without data and mixture"),
        ({"markers": {"columns": []}}, "at least 1 item"),
        ({"markers": {"columns": ["k"]}, "response_only": True}, "markers: expected without response_only"),
    ],
)
def test_settings_that_make_no_sense_are_errors(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SftConfig.model_validate(block)
    assert message in str(caught.value)


def test_every_setting_is_part_of_the_checksum(export: Path) -> None:
    blocks: list[dict[str, Any]] = [
        {},
        {"order": "k"},
        {"markers": {"columns": ["k"]}},
        {"markers": {"columns": ["k"], "dropout": 0.1}},
        {"response_only": True},
        {"phases": [{}, {}]},
        {"phases": [{}, {"rehearsal": 0.1}]},
    ]
    sums = [rows_checksum(job_of("sft", export, SftConfig.model_validate(block))) for block in blocks]
    assert len(set(sums)) == len(blocks)


def test_ordered_rows_are_not_shuffled_by_trl() -> None:
    assert "train_sampling_strategy" not in SftConfig().trl_args()
    assert SftConfig(order="k").trl_args()["train_sampling_strategy"] == "sequential"
    assert SftConfig(order="k").trl_args()["num_train_epochs"] == 3
    assert SftConfig.model_validate({"phases": [{}, {}]}).trl_args()["num_train_epochs"] == 1
    assert GrpoConfig(order="k").trl_args()["shuffle_dataset"] is False


@pytest.mark.train
def test_a_training_takes_the_rows_in_their_order(export: Path, tmp_path: Path) -> None:
    from skillmill.train.methods.sft import sft_job, sft_trainer

    require_extra()
    student = write_student(tmp_path / "student")
    phases = [{"data": "export", "epochs": 2}, {"data": lines(tmp_path, 8), "rehearsal": 0.1}]
    sft: dict[str, Any] = {"lora": None, "phases": phases, "args": ROOMY}
    settings = config(student=str(student), sft=sft, dpo=None)
    job: Job = sft_job(settings, export, tmp_path / "sft", 1)
    rows = finished_rows(job, load_job_rows(job, tmp_path / "work").dataset)
    trainer = sft_trainer(job, str(student), rows, None)
    tokens = [row for batch in trainer.get_train_dataloader() for row in batch["input_ids"].tolist()]
    texts = [trainer.processing_class.decode(row) for row in tokens]
    assert len(texts) == len(rows)
    assert all(text_of(row["prompt"]) in text for row, text in zip(rows, texts, strict=True))


@pytest.mark.train
@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"response_only": True}, "| prompts | the turns of the user are empty (response_only) |"),
        (
            {"markers": {"columns": ["k"]}},
            "| markers after prompts | k; on 0.5 of the rows, each left out of 0.5 of them (dropout) |",
        ),
    ],
)
def test_a_training_with_all_of_it_is_recorded(change: dict[str, Any], line: str, export: Path, tmp_path: Path) -> None:
    from skillmill.train.methods.sft import train_sft

    require_extra()
    student = write_student(tmp_path / "student")
    general = lines(tmp_path, 8, k=1)
    phases = [{"data": "export", "epochs": 2}, {"data": general, "rehearsal": 0.1}]
    sft: dict[str, Any] = {"lora": None, "phases": phases, "order": "k", **change}
    sft["args"] = {**ROOMY, "max_steps": 2}
    result = train_sft(config(student=str(student), sft=sft, dpo=None), export, tmp_path / "sft", 1)
    assert result.steps == 2 and result.rows > 20
    marker = orjson.loads((result.path / "train.json").read_bytes())
    shown = [{"data": "export", "epochs": 2}, {"data": "general.jsonl", "rehearsal": 0.1}]
    assert marker["rows"] == {"phases": shown, "order": "k", **change}
    assert marker["args"]["train_sampling_strategy"] == "sequential"
    card = (result.path / "README.md").read_text()
    assert "\n| phase 1 | export; 2 epochs |\n| phase 2 | general.jsonl; 1 epoch, with 0.1 of the rows of" in card
    assert "| order | from the smallest value of k to the largest, within each phase |" in card
    assert line in card and str(tmp_path) not in card


@pytest.mark.train
@pytest.mark.parametrize("order", [None, "k"])
def test_a_stream_starts_without_tokens_of_all_rows(order: str | None, export: Path, tmp_path: Path) -> None:
    from skillmill.train.methods.sft import train_sft

    require_extra()
    student = write_student(tmp_path / "student")
    sft: dict[str, Any] = {"lora": None, "streaming": True, "order": order, "args": {**ROOMY, "max_steps": 3}}
    result = train_sft(config(student=str(student), sft=sft, dpo=None), export, tmp_path / "sft", 1)
    assert (result.steps, result.rows, result.cut) == (3, 6, None)
    assert len(result.losses) == 3 and len(result.held_out) == 2
    assert "rows left out by `max_length`" not in (result.path / "README.md").read_text()


def test_a_stream_needs_a_number_of_steps(export: Path) -> None:
    with pytest.raises(ConfigError, match=r"^train\.sft\.streaming: expected with train\.sft and its args\.max_steps"):
        check_rows(job_of("sft", export, SftConfig(streaming=True)))
