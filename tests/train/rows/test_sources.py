"""Rows come from other exports, from folders of datasets and from the Hub; a training says what it took."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hub_server import HubServer
from huggingface_hub import HfApi

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.train.config import DpoConfig, SftConfig
from skillmill.train.quiet import require_extra
from skillmill.train.rows.load import check_rows, load_job_rows, load_rows, rows_checksum

from ..conftest import ROOMY, config
from ..tiny_students import write_student
from .conftest import job_of, rows_for, write_export


def test_a_set_on_the_hub_is_read_by_its_name(hub: HubServer, export: Path, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.address, token="hf_writer")
    api.create_repo("someone/skills", repo_type="dataset", private=True)
    api.upload_folder(repo_id="someone/skills", repo_type="dataset", folder_path=export)
    for stage, subset in (("sft", "sft"), ("dpo", "preference")):
        settings = (DpoConfig if stage == "dpo" else SftConfig).model_validate(
            {"mixture": [{"data": "someone/skills", "subset": subset}]}
        )
        job = job_of(stage, tmp_path / "no export", settings)
        check_rows(job)
        assert rows_checksum(job) == rows_checksum(job)
        own = load_job_rows(job_of(stage, export), tmp_path / f"{stage} own")
        found = load_job_rows(job, tmp_path / stage)
        assert found.dataset.to_list() == own.dataset.to_list()
        assert found.sources[0]["data"] == f"someone/skills ({subset})"


def test_a_name_that_the_hub_does_not_know_is_one_line(hub: HubServer, tmp_path: Path) -> None:
    job = job_of("sft", tmp_path, SftConfig(data="someone/nothing"))
    with pytest.raises(ConfigError, match=r"^train\.sft\.data: someone/nothing cannot be loaded: .*") as caught:
        check_rows(job)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "grpo"])
def test_the_export_of_another_run_is_read_as_ones_own(stage: str, export: Path, tmp_path: Path) -> None:
    own = job_of(stage, export)
    settings = (DpoConfig if stage == "dpo" else SftConfig)(data=str(export))
    job = replace(own, dataset_dir=tmp_path / "none", settings=settings)
    check_rows(job)
    assert load_rows(job, tmp_path / "work").to_list() == load_rows(own, tmp_path / "own").to_list()


def test_another_export_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path, rows_for(8))
    (file,) = (folder / "sft").glob("train-*")
    file.rename(file.with_name("train-x.parquet"))
    with pytest.raises(SkillmillError, match="are not those that were exported"):
        rows_checksum(job_of("sft", tmp_path / "none", SftConfig(data=str(folder))))


def test_a_folder_of_files_is_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.jsonl").write_text(json.dumps({"question": "Why?", "answer": "Because."}))
    rows = load_rows(job_of("sft", tmp_path, SftConfig(data=str(tmp_path / "set"))), tmp_path / "work")
    assert [row["completion"][0]["content"] for row in rows] == ["Because."]


@pytest.mark.train
def test_a_training_says_what_it_took_from_each_set(export: Path, tmp_path: Path) -> None:
    from skillmill.train.methods.sft import train_sft

    require_extra()
    student = write_student(tmp_path / "student")
    lines = [{"instruction": f"Name {n}", "output": "A name."} for n in range(6)] + [{"instruction": "?", "output": ""}]
    (tmp_path / "more|rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    mixture = [{"data": "export", "rows": 10}, {"data": str(tmp_path / "more|rows.jsonl")}]
    sft: dict[str, Any] = {"lora": None, "mixture": mixture, "args": {**ROOMY, "max_steps": 1}}
    trained = config(student=str(student), sft=sft, dpo=None)
    result = train_sft(trained, export, tmp_path / "result", 1)
    marker = orjson.loads((result.path / "train.json").read_bytes())
    assert marker["sources"] == [
        {"data": "export", "rows": 10, "left_out": 0},
        {"data": "more|rows.jsonl", "rows": 6, "left_out": 1},
    ]
    assert marker["rows"] == {"mixture": [{"rows": 10}, {"data": "more|rows.jsonl"}]}
    card = (result.path / "README.md").read_text()
    assert "| rows of export | 10 |" in card
    assert "| rows of more&#124;rows.jsonl | 6; 1 without a request or an answer are left out |" in card
    assert train_sft(trained, export, tmp_path / "result", 1).reused
