"""Rows of other people's sets: every known layout gives the rows of each method."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.config import DpoConfig, SftConfig
from skillmill.train.rows.load import check_rows, load_job_rows, load_rows, rows_checksum

from .conftest import job_of

ASK, SAY = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "No."}
BRIEF = {"role": "system", "content": "Be brief."}
BRIEFLY = {"prompt": [BRIEF, ASK], "completion": [SAY]}
EARLIER = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
ONE = {"prompt": [ASK], "completion": [SAY]}
PAIR = {"prompt": [ASK], "chosen": [SAY], "rejected": [BAD]}
SHAREGPT = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]

SFT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "alpaca": ({"instruction": "Why?", "input": "", "output": "Because."}, ONE),
    "alpaca with input": (
        {"instruction": "Translate", "input": "chat", "output": "cat"},
        {
            "prompt": [{"role": "user", "content": "Translate\n\nchat"}],
            "completion": [{"role": "assistant", "content": "cat"}],
        },
    ),
    "alpaca with history": (
        {"instruction": "Why?", "output": "Because.", "system": "Be brief.", "history": [["Hi", "Hello"]]},
        {"prompt": [BRIEF, *EARLIER, ASK], "completion": [SAY]},
    ),
    "sharegpt": ({"conversations": SHAREGPT}, ONE),
    "sharegpt with system": ({"conversations": [{"from": "system", "value": "Be brief."}, *SHAREGPT]}, BRIEFLY),
    "system column": ({"system": "Be brief.", "conversations": SHAREGPT}, BRIEFLY),
    "messages": ({"messages": [*EARLIER, ASK, SAY]}, {"prompt": [*EARLIER, ASK], "completion": [SAY]}),
    "messages that end with a question": ({"messages": [ASK, SAY, ASK]}, ONE),
    "messages as JSON": ({"messages": json.dumps([ASK, SAY])}, ONE),
    "prompt and completion": ({"prompt": "Why?", "completion": "Because."}, ONE),
    "conversational prompt and completion": (ONE, ONE),
    "question and answer": ({"question": "Why?", "answer": "Because."}, ONE),
    "problem and solution": ({"problem": "Why?", "solution": "Because."}, ONE),
    "chosen side of a pair": ({"prompt": "Why?", "chosen": "Because.", "rejected": "No."}, ONE),
}  # fmt: skip
DPO: dict[str, dict[str, Any]] = {
    "texts": {"prompt": "Why?", "chosen": "Because.", "rejected": "No."},
    "messages": PAIR,
    "chats without a prompt": {"chosen": [ASK, SAY], "rejected": [ASK, BAD]},
    "chats with a prompt": {"prompt": "Why?", "chosen": [ASK, SAY], "rejected": [ASK, BAD]},
    "chats beside messages": {"messages": [ASK, SAY], "prompt": "Why?", "chosen": [ASK, SAY], "rejected": [ASK, BAD]},
    "alpaca": {"instruction": "Why?", "input": "", "chosen": "Because.", "rejected": "No."},
    "sharegpt": {
        "conversations": SHAREGPT[:1],
        "chosen": {"from": "gpt", "value": "Because."},
        "rejected": {"from": "gpt", "value": "No."},
    },
    "question": {"question": "Why?", "chosen": "Because.", "rejected": "No."},
    "HH-RLHF": {
        "chosen": "\n\nHuman: Why?\n\nAssistant: Because.",
        "rejected": "\n\nHuman: Why?\n\nAssistant: No.",
    },
}
KTO: dict[str, tuple[dict[str, Any], list[bool]]] = {
    "bool": ({**ONE, "label": False}, [False]),
    "number": ({"prompt": "Why?", "completion": "Because.", "label": 1}, [True]),
    "text": ({"instruction": "Why?", "output": "Because.", "label": "False"}, [False]),
    "kto_tag": ({"conversations": SHAREGPT, "kto_tag": True}, [True]),
    "pair": ({"prompt": "Why?", "chosen": "Because.", "rejected": "Because."}, []),
    "pair of two": (PAIR, [True, False]),
}
GRPO = {"prompt": "Why?", "skills": ["irony"], "k": 1}


def write(folder: Path, rows: list[dict[str, Any]], ending: str = "jsonl") -> Path:
    file = folder / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text(json.dumps(rows) if ending == "json" else "\n".join(map(json.dumps, rows)))
    return file


def loaded(stage: str, file: Path) -> list[dict[str, Any]]:
    settings = DpoConfig(data=str(file)) if stage == "dpo" else SftConfig(data=str(file))
    job = job_of(stage, file.parent / "no export", settings)
    check_rows(job)
    return [dict(row) for row in load_rows(job, file.parent / "work")]


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("layout", SFT)
def test_sft_reads(layout: str, ending: str, tmp_path: Path) -> None:
    row, expected = SFT[layout]
    assert loaded("sft", write(tmp_path, [row, row], ending)) == [expected] * 2


@pytest.mark.parametrize("layout", DPO)
def test_dpo_reads(layout: str, tmp_path: Path) -> None:
    assert loaded("dpo", write(tmp_path, [DPO[layout]] * 2)) == [PAIR] * 2


@pytest.mark.parametrize("layout", KTO)
def test_kto_reads(layout: str, tmp_path: Path) -> None:
    row, labels = KTO[layout]
    rows = loaded("kto", write(tmp_path, [row, {**row, **({"rejected": "No."} if layout == "pair" else {})}]))
    assert [each["label"] for each in rows] == (labels * 2 or [True, False] * 2)[: len(rows)]
    assert all(each["prompt"] == [ASK] for each in rows)


def test_grpo_reads_prompts_and_what_its_rewards_need(tmp_path: Path) -> None:
    rows = loaded("grpo", write(tmp_path, [GRPO]))
    assert rows == [
        {"prompt": [ASK], "kind": None, "k": 1, "skills": ["irony"], "topic": None, "query_type": None}
        | {"length": None, "language": None}
    ]


def test_rows_without_a_request_or_an_answer_are_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    rows = [{"prompt": "Why?", "completion": "Because."}, {"prompt": "", "completion": "x"}, {"prompt": "y"}]
    job = job_of("sft", tmp_path, SftConfig(data=str(write(tmp_path, rows))))
    found = load_job_rows(job, tmp_path / "work")
    assert list(found.dataset.select_columns(["prompt", "completion"])) == [ONE]
    assert found.sources == [{"data": "rows.jsonl", "rows": 1, "left_out": 2}]
    assert "train sft: 1 rows of rows.jsonl, 2 without a request or an answer left out" in caplog.text


@pytest.mark.parametrize(
    ("stage", "row", "message"),
    [
        ("sft", {"a": 1, "b": 2}, "rows.jsonl has the columns a, b; expected a chat (messages, conversations, conv"),
        ("sft", {"prompt": "x"}, "rows.jsonl has the columns prompt; expected a chat (messages,"),
        ("dpo", ONE, "rows.jsonl has the columns prompt, completion; expected chosen and rejected, with a request"),
        ("kto", ONE, "rows.jsonl has the columns prompt, completion; expected a request with an answer and a label"),
        ("grpo", {"completion": "x"}, "rows.jsonl has the columns completion; expected a request (prompt,"),
    ],
)
def test_a_missing_column_is_one_line_before_anything_is_loaded(
    stage: str, row: dict[str, Any], message: str, tmp_path: Path
) -> None:
    settings = DpoConfig if stage == "dpo" else SftConfig
    job = job_of(stage, tmp_path, settings(data=str(write(tmp_path, [row]))))
    with pytest.raises(ConfigError) as caught:
        check_rows(job)
    assert str(caught.value).startswith(f"train.{stage}.data: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be loaded: it has no rows"),
        ('{"prompt": "", "completion": ""}', "none of its 1 rows has a request and an answer, expected"),
        ('{"prompt": "x", "completion": ', "cannot be loaded: (line 1 is no JSON"),
        ('{"messages": [{"role": "wizard", "content": "x"}]}', "column 'messages': a chat with the unknown roles wiz"),
        ('{"messages": "[1, 2]"}', "column 'messages': expected a list of turns with a role and a text"),
    ],
)
def test_a_set_that_cannot_be_used_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(content)
    job = job_of("sft", tmp_path, SftConfig(data=str(tmp_path / "rows.jsonl")))
    with pytest.raises(ConfigError) as caught:
        load_rows(job, tmp_path / "work")
    assert str(caught.value).startswith("train.sft.data: ") and message in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    job = job_of("sft", tmp_path, SftConfig(data=str(tmp_path / "no.jsonl")))
    for call in (check_rows, rows_checksum):
        with pytest.raises(ConfigError, match=r"^train\.sft\.data: there is no file .*no\.jsonl$"):
            call(job)


def test_a_label_that_is_none_is_named(tmp_path: Path) -> None:
    job = job_of("kto", tmp_path, SftConfig(data=str(write(tmp_path, [{**ONE, "label": "maybe"}]))))
    with pytest.raises(ConfigError, match=r"column 'label': expected true or false, found maybe$"):
        load_rows(job, tmp_path / "work")
