"""With `streaming` the rows of a set on the Hub are read when the training comes to them."""

import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import HubServer
from huggingface_hub import HfApi

from skillmill.data.errors import ConfigError
from skillmill.data.records import text_of
from skillmill.train.config import SftConfig
from skillmill.train.job import Job
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.rows.finish import finished_rows
from skillmill.train.rows.load import check_rows, load_job_rows, rows_checksum
from skillmill.train.watch.held_out import hold_out

from ..conftest import ROOMY, config
from ..tiny_students import write_student
from .conftest import job_of

NAME, FILES, ROWS = "someone/many", 6, 500
STEPS = {"max_steps": 3}


def upload(hub: HubServer, folder: Path, name: str = NAME, **columns: Any) -> None:
    """Put a set of `FILES` Parquet files, each of `ROWS` rows, on the Hub."""
    (folder / "data").mkdir(parents=True)
    for file in range(FILES):
        rows = [{"question": f"Hub {file} {row}?", "answer": "Yes.", **columns} for row in range(ROWS)]
        pq.write_table(pa.Table.from_pylist(rows), folder / "data" / f"train-{file:05d}-of-{FILES:05d}.parquet")
    api = HfApi(endpoint=hub.address, token="hf_writer")
    api.create_repo(name, repo_type="dataset", private=True, exist_ok=True)
    api.upload_folder(repo_id=name, repo_type="dataset", folder_path=folder)
    hub.read.clear()


def files_read(hub: HubServer) -> set[int]:
    return {int(path.split("-")[1]) for path in hub.read if path.startswith("data/")}


def job_with(export: Path, **settings: Any) -> Job:
    return job_of("sft", export, SftConfig.model_validate({"streaming": True, "args": STEPS, **settings}))


def prompts(rows: Any, count: int) -> list[str]:
    return [text_of(row["prompt"]) for row in rows.take(count)]


def test_only_the_files_that_the_training_comes_to_are_read(hub: HubServer, export: Path, tmp_path: Path) -> None:
    upload(hub, tmp_path / "set")
    job = job_with(export, data=NAME, markers={"columns": ["answer"], "rows": 1, "dropout": 0})
    check_rows(job)
    checksum = rows_checksum(job)
    loaded = load_job_rows(job, tmp_path / "work")
    assert files_read(hub) <= {0}  # its columns
    assert loaded.sources == [{"data": NAME, "rows": None, "left_out": None}]
    with offline_and_quiet():  # as in a training: reading alone has access to the Hub
        split = hold_out(loaded.dataset, None, 0.05)
        rows = finished_rows(job, split.trained)
        first = prompts(rows, 300)
        assert first == prompts(rows, 300)
    assert split.measured is not None
    assert set(split.measured["prompt"][0][0]["content"].split()) == {"Hub", "0", "0?"}
    assert len(set(first)) == 300 and first != sorted(first) and all(text.endswith("[answer: Yes.]") for text in first)
    measured = {text_of(prompt) for prompt in split.measured["prompt"]}
    assert len(measured) == 32 and not measured & {text.split("\n")[0] for text in first}
    assert files_read(hub) == {0, 1, 2}  # 32 + 1,000 + 300 rows
    upload(hub, tmp_path / "other", more="x")
    assert rows_checksum(job) != checksum
    assert hub.read == []


def test_shares_mix_a_set_on_the_hub_with_local_rows(hub: HubServer, export: Path, tmp_path: Path) -> None:
    upload(hub, tmp_path / "set")
    own = len(load_job_rows(job_of("sft", export), tmp_path / "own").dataset)
    mixture = [{"data": "export", "share": 0.5}, {"data": NAME, "share": 0.5}]
    loaded = load_job_rows(job_with(export, mixture=mixture), tmp_path / "work")
    mixed = prompts(loaded.dataset, 1000)
    assert len(set(mixed)) == len(mixed) < 3 * own  # it ends with the rows of the export
    assert own - 1 <= sum(not text.startswith("Hub") for text in mixed) <= own
    assert max(files_read(hub)) < FILES - 1


@pytest.mark.parametrize("held_out", ["prompt", "split"])
def test_held_out_rows_are_left_out_of_a_stream(
    held_out: str, hub: HubServer, export: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pq.read_table(next((export / "sft").glob("validation-*")), columns=["prompt"])
    leaked = table["prompt"][0].as_py()[0]["content"]
    rows = [{"question": f"Hub {n}?", "answer": "Yes.", "cell": "c", "split": "train"} for n in range(9)]
    rows[4] |= {"question": leaked.upper()} if held_out == "prompt" else {"split": "test"}
    (tmp_path / "set").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set/train.parquet")
    api = HfApi(endpoint=hub.address, token="hf_writer")
    api.create_repo(NAME, repo_type="dataset", private=True)
    api.upload_folder(repo_id=NAME, repo_type="dataset", folder_path=tmp_path / "set")
    stream = load_job_rows(job_with(export, data=NAME), tmp_path / "work").dataset
    assert prompts(stream, 100) == [f"Hub {n}?" for n in range(9) if n != 4]
    warned = f"train.sft.data: {NAME} has the prompts of held-out rows, which are left out" in caplog.text
    assert warned == (held_out == "prompt")


def test_a_marker_that_a_stream_has_not_is_named(hub: HubServer, export: Path, tmp_path: Path) -> None:
    upload(hub, tmp_path / "set")
    job = job_with(export, data=NAME, markers={"columns": ["mood"]})
    with pytest.raises(ConfigError, match=r"^train\.sft\.markers\.columns: no row has a value in the column 'mood'$"):
        load_job_rows(job, tmp_path / "work")


@pytest.mark.parametrize(
    "settings",
    [
        {"streaming": False, "data": NAME},
        {"data": "export"},
        {"data": NAME, "order": "k"},
        {"mixture": [{"data": NAME, "rows": 5}]},
        {"mixture": [{"data": NAME}, {"data": "export"}]},
        {"phases": [{"data": NAME}, {}]},
    ],
)
def test_rows_that_are_counted_are_read_first(settings: dict[str, Any]) -> None:
    assert not SftConfig.model_validate({"streaming": True, "args": STEPS, **settings}).is_lazy


@pytest.mark.train
def test_a_training_reads_no_more_than_it_needs(hub: HubServer, tmp_path: Path) -> None:
    from skillmill.train.methods.sft import train_sft

    require_extra()
    upload(hub, tmp_path / "set")
    student = write_student(tmp_path / "student")
    sft: dict[str, Any] = {"lora": None, "streaming": True, "data": NAME, "args": {**ROOMY, **STEPS}}
    settings = config(student=str(student), sft=sft, dpo=None)
    result = train_sft(settings, tmp_path / "none", tmp_path / "sft", 1)
    assert (result.steps, result.rows, result.held_out_rows) == (3, 6, 32)
    assert max(files_read(hub)) < FILES - 1
    marker = orjson.loads((result.path / "train.json").read_bytes())
    assert marker["sources"] == [{"data": NAME, "rows": None, "left_out": None}]
    assert f"| rows of {NAME} | read when the training came to them |" in (result.path / "README.md").read_text()
    hub.read.clear()
    assert train_sft(settings, tmp_path / "none", tmp_path / "sft", 1).reused and hub.read == []
    assert json.loads((result.path / "train.json").read_text())["rows"] == {"data": NAME, "streaming": True}
