"""Several sets are mixed by shares or counts; the seed decides which rows, and all of it is in the fingerprint."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.records import text_of
from skillmill.train.config import SftConfig, TrainConfig
from skillmill.train.job import Job
from skillmill.train.rows.load import load_job_rows, rows_checksum

from .conftest import job_of


def other(folder: Path, rows: int, name: str = "other.jsonl") -> Path:
    file = folder / name
    file.write_text("\n".join(json.dumps({"prompt": f"{name} {n}?", "completion": "Yes."}) for n in range(rows)))
    return file


def mixed(export: Path, *parts: dict[str, Any]) -> Job:
    return job_of("sft", export, SftConfig.model_validate({"mixture": parts}))


def origins(job: Job, work: Path) -> Counter[str]:
    return Counter(text_of(row["prompt"]).split()[0] for row in load_job_rows(job, work).dataset)


def test_shares_give_the_largest_mixture_without_repeated_rows(export: Path, tmp_path: Path) -> None:
    whole = sum(origins(job_of("sft", export), tmp_path).values())
    job = mixed(export, {"data": "export", "share": 0.75}, {"data": str(other(tmp_path, 100)), "share": 0.25})
    found = load_job_rows(job, tmp_path / "work")
    texts = [text_of(row["prompt"]) for row in found.dataset]
    assert len(set(texts)) == len(texts)
    assert found.sources == [
        {"data": "export", "rows": whole, "left_out": 0},
        {"data": "other.jsonl", "rows": round(whole / 3), "left_out": 0},
    ]
    kinds = [text.split()[0] for text in texts]
    assert Counter(kinds) == {"Instruction": whole, "other.jsonl": round(whole / 3)}
    assert kinds[-1] != kinds[0] or len(set(kinds[: whole // 2])) == 2  # interleaved, not one after the other


def test_counts_are_exact_and_a_set_without_one_is_whole(export: Path, tmp_path: Path) -> None:
    one, two = other(tmp_path, 30), other(tmp_path, 7, "two.jsonl")
    job = mixed(export, {"data": "export", "rows": 5}, {"data": str(one), "rows": 20}, {"data": str(two)})
    assert origins(job, tmp_path / "work") == {"Instruction": 5, "other.jsonl": 20, "two.jsonl": 7}


def test_the_seed_decides_which_rows_are_taken(export: Path, tmp_path: Path) -> None:
    job = mixed(export, {"data": "export", "rows": 5}, {"data": str(other(tmp_path, 30)), "rows": 5})

    def texts(job: Job, name: str) -> list[str]:
        return [text_of(row["prompt"]) for row in load_job_rows(job, tmp_path / name).dataset]

    assert texts(job, "a") == texts(job, "b")
    assert texts(job, "a") != texts(replace(job, seed=8), "c")


def test_the_checksum_covers_sets_and_shares(export: Path, tmp_path: Path) -> None:
    file = other(tmp_path, 30)
    jobs = [
        job_of("sft", export),
        mixed(export, {"data": "export", "rows": 5}, {"data": str(file), "rows": 5}),
        mixed(export, {"data": "export", "rows": 5}, {"data": str(file), "rows": 6}),
        job_of("sft", export, SftConfig(data=str(file))),
    ]
    before = [rows_checksum(job) for job in jobs]
    assert len(set(before)) == len(jobs) and before == [rows_checksum(job) for job in jobs]
    file.write_text(file.read_text().replace("Yes", "No"))
    assert [one == other for one, other in zip(before, map(rows_checksum, jobs), strict=True)] == [
        True, False, False, False
    ]  # fmt: skip


def test_a_set_with_too_few_rows_is_named(export: Path, tmp_path: Path) -> None:
    job = mixed(export, {"data": "export"}, {"data": str(other(tmp_path, 3)), "rows": 20})
    with pytest.raises(ConfigError, match=r"^train\.sft\.mixture\.1\.rows: expected at most the 3 rows of .*, got 20$"):
        load_job_rows(job, tmp_path / "work")
    job = mixed(export, {"data": "export", "share": 0.999}, {"data": str(other(tmp_path, 3)), "share": 0.001})
    with pytest.raises(ConfigError, match=r"^train\.sft\.mixture\.1\.share: 0\.001 of the mixture comes to no row of"):
        load_job_rows(job, tmp_path / "work")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"mixture": [{"share": 0.5}, {"data": "x", "share": 0.4}]}, "expected shares that sum to 1, got 0.9"),
        ({"mixture": [{"share": 0.5}, {"data": "x"}]}, "expected a share for every set, or for none"),
        ({"mixture": [{"share": 1, "rows": 3}]}, "share and rows: expected one of them"),
        ({"mixture": [{}], "data": "x"}, "data and mixture: expected one of them"),
        ({"mixture": [{"path": "x"}]}, "Extra inputs are not permitted"),
        ({"mixture": []}, "at least 1 item"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_an_error_of_the_configuration(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SftConfig.model_validate(block)
    assert message in str(caught.value)


def test_paths_are_relative_to_the_configuration_file(tmp_path: Path) -> None:
    other(tmp_path, 1)
    block = {"sft": {"mixture": [{"data": "export"}, {"data": "other.jsonl"}]}, "dpo": {"data": "someone/skills"}}
    config = TrainConfig.model_validate(block).relative_to(tmp_path)
    assert config.sft and config.dpo
    assert [part.data for part in config.sft.parts] == ["export", str(tmp_path / "other.jsonl")]
    assert config.dpo.data == "someone/skills"
    assert config.sft.described_rows() == {"mixture": [{}, {"data": "other.jsonl"}]}
