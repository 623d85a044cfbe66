"""Each further format opens in the loaders of its consumers, and its files are as stable as the Parquet files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from exports import export_stores, row_of

from skillmill.data.export.config import ExportConfig
from skillmill.data.inputs.chats import find_layout, read_pair
from skillmill.data.inputs.row_files import open_rows
from skillmill.data.records import SampleRow
from skillmill.data.store import grade_store, pair_store, sample_store

PLAN = "b" * 16
FORMATS = ("alpaca", "sharegpt", "openai", "json")
REQUEST, ANSWER = 'Say "hi"\u2028\nto [masked], ok?', "Hi \U0001f600.\n\n| a | b |\r\n</s>"


def example(index: int, **columns: Any) -> SampleRow:
    """Return an accepted row with line breaks and an address in its texts."""
    row = row_of(PLAN, index)
    row["prompt"] = [{"role": "user", "content": f"{index}: " + REQUEST.replace("[masked]", "me@example.com")}]
    row["completion"] = [{"role": "assistant", "content": ANSWER}]
    row["verdict"], row["reasons"] = "accepted", []
    return {**row, **columns}  # type: ignore[typeddict-item]


def export(root: Path, start: int, rows: list[SampleRow], formats: tuple[str, ...] = FORMATS) -> Path:
    stores = samples, _, _ = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    if rows:
        samples.commit(PLAN, start, start + len(rows), rows, len(rows), len(rows))
    export_stores(
        stores,
        {PLAN: "c" * 16},
        mask=lambda text: text.replace("me@example.com", "[masked]"),
        formats=formats,
        validation=0.3,
    )
    return root / "export"


def files(folder: Path, name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "formats" / name).iterdir())}


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    content = b"".join(files(folder, name).values())
    return [json.loads(line) for line in content.split(b"\n") if line]


def alpaca_prompt(record: dict[str, Any]) -> tuple[str, str]:
    """Return prompt and target as `train.py` of Stanford Alpaca does."""
    prompts = {
        "prompt_input": "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:",
        "prompt_no_input": "### Instruction:\n{instruction}\n\n### Response:",
    }
    name = "prompt_input" if record.get("input", "") != "" else "prompt_no_input"
    prompt = prompts[name].format_map(record)
    return prompt.removeprefix("### Instruction:\n").removesuffix("\n\n### Response:"), record["output"]


def fastchat_turns(record: dict[str, Any]) -> tuple[str, str]:
    """Return the turns as `preprocess` of FastChat reads them: the human first, then in turn."""
    speakers = {"human": 0, "gpt": 1}
    for place, sentence in enumerate(record["conversations"]):
        assert speakers[sentence["from"]] == place % 2
    first, second = record["conversations"]
    return first["value"], second["value"]


def openai_messages(record: dict[str, Any]) -> tuple[str, str]:
    """Return the texts after the checks of OpenAI's guide to data for fine-tuning of chat models."""
    assert set(record) == {"messages"}
    for message in record["messages"]:
        assert set(message) <= {"role", "content", "name", "function_call", "weight"}
        assert message["role"] in ("system", "user", "assistant", "function")
        assert isinstance(message["content"], str) and message["content"]
    assert record["messages"][-1]["role"] == "assistant"
    return record["messages"][0]["content"], record["messages"][-1]["content"]


def prompt_completion(record: dict[str, Any]) -> tuple[str, str]:
    return record["prompt"][0]["content"], record["completion"][0]["content"]


CONSUMERS: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "alpaca": alpaca_prompt,
    "sharegpt": fastchat_turns,
    "openai": openai_messages,
    "json": prompt_completion,
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_opens_where_it_is_used(tmp_path: Path, name: str) -> None:
    folder = export(tmp_path, 0, [example(index) for index in range(8)])
    expected = {(f"{index}: {REQUEST}", ANSWER) for index in range(8)}
    assert {CONSUMERS[name](record) for record in lines(folder, name)} == expected

    pattern = {"train": f"{folder}/formats/{name}/train-*.jsonl"}
    train = datasets.load_dataset("json", data_files=pattern, split="train", cache_dir=str(tmp_path / ".hf"))
    names = [file for file in files(folder, name) if file.startswith("validation-")]
    assert names, "an example without validation rows tests nothing"
    validation = [json.loads(line) for line in files(folder, name)[names[0]].splitlines() if line]
    assert {CONSUMERS[name](record) for record in train} == expected - set(map(CONSUMERS[name], validation))

    found = set()
    for path in sorted((folder / "formats" / name).iterdir()):
        file = open_rows(path)
        layout = find_layout(file.schema.names)
        assert layout is not None
        found |= {read_pair(record, layout)[:2] for batch in file.batches() for record in batch.to_pylist()}
    assert found == {(f"{index}: {REQUEST}", ANSWER) for index in range(8)}


@pytest.mark.parametrize(("name", "roles"), [("sharegpt", ["human", "gpt"]), ("openai", ["user", "assistant"])])
def test_trl_takes_a_format_as_a_conversation(tmp_path: Path, name: str, roles: list[str]) -> None:
    data_utils = pytest.importorskip("trl.data_utils")
    [record] = lines(export(tmp_path, 0, [example(0)]), name)
    converted = data_utils.maybe_convert_to_chatml(record)
    assert data_utils.is_conversational(converted)
    assert [message["role"] for message in converted["messages"]] == roles


def test_json_has_the_columns_and_values_of_the_parquet_files(tmp_path: Path) -> None:
    folder = export(tmp_path, 0, [example(0), example(1, signals=[("rare", 1.0)])])
    rows = [row for split in ("train", "validation") for row in load(folder, split)]
    assert sorted(lines(folder, "json"), key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])


def load(folder: Path, split: str) -> list[dict[str, Any]]:
    if not list((folder / "sft").glob(f"{split}-v*")):
        return []
    rows = datasets.load_dataset(str(folder), split=split, cache_dir=str(folder.parent / ".hf"))
    return list(rows)


@pytest.mark.parametrize("name", ["alpaca", "sharegpt", "openai"])
def test_a_new_version_adds_files_and_changes_none(tmp_path: Path, name: str) -> None:
    before = files(export(tmp_path, 0, [example(index) for index in range(4)]), name)
    after = files(export(tmp_path, 4, [example(index) for index in range(4, 9)]), name)
    assert before == {file: content for file, content in after.items() if "-v0001-" in file}
    assert {file.partition("-v")[2][:4] for file in after} == {"0001", "0002"}


def test_a_format_alone_is_no_new_version_and_a_dropped_one_leaves_no_files(tmp_path: Path) -> None:
    folder = export(tmp_path, 0, [example(0)], ("alpaca",))
    assert [path.name for path in (folder / "formats").iterdir()] == ["alpaca"]
    folder = export(tmp_path, 1, [], ())
    assert not (folder / "formats").exists()
    assert json.loads((folder / "version.json").read_text())["version"] == "v1"


def test_a_format_counts_once() -> None:
    assert ExportConfig(formats=("alpaca", "json", "alpaca")).formats == ("alpaca", "json")
