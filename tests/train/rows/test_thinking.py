"""The student learns what a teacher thought through its chat template, or between tags before the answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from skillmill.data.records import SampleRow
from skillmill.train.config import SftConfig
from skillmill.train.rows.load import load_rows, load_validation_rows

from ..tiny_students import TEMPLATE, write_tokenizer
from .conftest import job_of, rows_for, write_export

REASONING = TEMPLATE.replace(
    "{{ m['content'] }}",
    "{% if m.reasoning_content %}[THINK]{{ m.reasoning_content }}[/THINK]{% endif %}{{ m['content'] }}",
)


@pytest.fixture(params=[TEMPLATE, REASONING], ids=["tags", "field"])
def student(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = write_tokenizer(tmp_path / "student", request.param)
    (folder / "config.json").write_text("{}")
    return folder


def thinking_rows() -> list[SampleRow]:
    return [{**row, "thinking": f"Thought {row['index']}." if row["index"] % 2 else None} for row in rows_for(40)]


def rendered(student: Path, rows: Any) -> list[str]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(student)
    return [tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False) for row in rows]


@pytest.mark.parametrize("form", ["column", "inline"])
def test_thinking_of_an_export_is_a_part_of_the_answers(form: str, student: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path, thinking_rows(), validation=0.3, thinking=form)
    job = job_of("sft", export, SftConfig(), student)
    validation = load_validation_rows(job, tmp_path / "validation")
    assert validation is not None
    for text in (*rendered(student, load_rows(job, tmp_path / "work")), *rendered(student, validation)):
        number = int(text.split("Instruction ")[1].split("?")[0])
        answer = text.split("assistant\n")[1]
        by_field = form == "column" and "reasoning_content" in (student / "chat_template.jinja").read_text()
        thought = f"[THINK]Thought {number}.[/THINK]" if by_field else f"<think>\nThought {number}.\n</think>\n\n"
        assert answer.startswith((thought if number % 2 else "") + f"Answer {number}.")


def test_thinking_is_left_out_if_it_is_not_to_be_learnt(student: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path, thinking_rows(), thinking="column")
    texts = rendered(student, load_rows(job_of("sft", export, SftConfig(thinking=False), student), tmp_path / "work"))
    assert not any("Thought" in text for text in texts)


@pytest.mark.parametrize("column", ["thinking", "reasoning_content", "reasoning"])
def test_reasoning_columns_of_others_are_learnt(column: str, student: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "Why?", "answer": "So.", column: "Hm."}))
    job = job_of("sft", tmp_path, SftConfig(data=str(tmp_path / "rows.jsonl")), student)
    (text,) = rendered(student, load_rows(job, tmp_path / "work"))
    assert "[THINK]Hm.[/THINK]So." in text or "<think>\nHm.\n</think>\n\nSo." in text


def test_reasoning_in_the_messages_of_others_is_learnt(student: Path, tmp_path: Path) -> None:
    first = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "thinking": "First."}]
    last = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So.", "thinking": "Hm."}]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [*first, *last]}))
    job = job_of("sft", tmp_path, SftConfig(data=str(tmp_path / "rows.jsonl")), student)
    (text,) = rendered(student, load_rows(job, tmp_path / "work"))
    assert "[THINK]Hm.[/THINK]So." in text or "<think>\nHm.\n</think>\n\nSo." in text
    assert "First." not in text
