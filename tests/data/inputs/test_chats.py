"""Requests and answers in every known layout of chats and instructions."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.chats import find_layout
from skillmill.data.inputs.pair_columns import read_pairs
from skillmill.data.inputs.row_files import open_rows

Q, A = "How do I mend it?", "Patch it."


def messages(user: str, assistant: str, role: str = "role", text: str = "content") -> list[dict[str, str]]:
    return [{role: user, text: Q}, {role: assistant, text: A}]


LAYOUTS: list[dict[str, Any]] = [
    {"messages": messages("user", "assistant")},
    {"messages": [{"role": "system", "content": "Be kind."}, *messages("user", "assistant")]},
    {"messages": messages("prompter", "assistant", text="text")},
    {"messages": messages("用户", "助手")},
    {"messages": messages("User", "model")},
    {"messages": messages("human", "bot")},
    {"messages": [*messages("user", "tool"), {"role": "assistant", "content": A}]},
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": Q}]},
            {"role": "bot", "content": [{"text": A}]},
        ]
    },
    {"messages": [{"role": "user", "content": Q, "name": None}, {"role": "assistant", "text": A}]},
    {"messages": json.dumps(messages("user", "assistant"))},
    {"messages": str(messages("user", "assistant"))},
    {"conversations": messages("human", "gpt", "from", "value")},
    {"conversations": json.dumps(messages("human", "gpt", "from", "value"))},
    {"conversations": json.dumps({"conversations": messages("human", "gpt", "from", "value")})},
    {"conversations": [[Q, A]]},
    {"conversations": [["Hi", "Yes?"], [Q, A]][1:]},
    {"conversations": json.dumps([[Q, A]])},
    {"conversations": [["user", Q], ["assistant", A]]},
    {"conversations": [Q, A]},
    {"conversation": [{"human": Q, "assistant": A}]},
    {"conversation": [{"assistant": A, "user": Q, "system": None}]},
    {"prompt": Q, "completion": A},
    {"prompt": messages("user", "assistant")[:1], "completion": messages("user", "assistant")[1:]},
    {"prompt": json.dumps(messages("user", "assistant")[:1]), "completion": json.dumps(messages("user", "model")[1:])},
    {"prompt": Q, "chosen": messages("user", "assistant")[1:], "rejected": messages("user", "assistant")[1:]},
    {"chosen": messages("user", "assistant"), "rejected": messages("user", "assistant")},
    {"instruction": "How do I", "input": "mend it?", "output": A},
    {"question": Q, "answer": A},
]


@pytest.mark.parametrize("row", LAYOUTS)
@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
def test_layouts(tmp_path: Path, row: dict[str, Any], ending: str) -> None:
    path, rows = tmp_path / f"rows.{ending}", [{"id": 1, **row}, {"id": "x", **row}]
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist([{"id": 1, **row}] * 2), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if ending == "jsonl" else json.dumps(rows))
    instructions, responses = read_pairs(open_rows(path), None, None)
    assert [" ".join(text.split()) for text in instructions] == [Q, Q]
    assert responses == [A, A]


@pytest.mark.parametrize(
    ("row", "instruction", "response", "expected"),
    [
        ({"talk": messages("user", "assistant")}, "talk", None, (Q, A)),
        ({"talk": messages("user", "assistant")}, None, "talk", (Q, A)),
        ({"talk": messages("user", "assistant")}, "talk", "talk", (Q, A)),
        ({"talk": json.dumps(messages("human", "gpt", "from", "value"))}, "talk", None, (Q, A)),
        ({"q": messages("user", "assistant")[:1], "a": A}, "q", "a", (Q, A)),
        ({"instruction": Q, "input": "more", "output": A}, "instruction", "output", (Q, A)),
        ({"q": Q, "a": '[["a", "b"]]'}, "q", "a", (Q, '[["a", "b"]]')),
        ({"q": Q, "a": json.dumps(messages("user", "poet"))}, "q", "a", (Q, json.dumps(messages("user", "poet")))),
        ({"q": "[1, 2] sorted?", "a": 3}, "q", "a", ("[1, 2] sorted?", "3")),
        ({"q": None, "a": None}, "q", "a", ("", "")),
    ],
)
def test_columns_that_options_name(
    tmp_path: Path, row: dict[str, Any], instruction: str | None, response: str | None, expected: tuple[str, str]
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    [request], [answer] = read_pairs(open_rows(tmp_path / "rows.jsonl"), instruction, response)
    assert (request, answer) == expected


THANKS = [{"role": "user", "content": "Thanks!"}, {"role": "assistant", "content": "You are welcome."}]
TOOL = [{"role": "assistant", "content": ""}, {"role": "tool", "content": "42"}]


@pytest.mark.parametrize(
    ("row", "answer", "further"),
    [
        ({"messages": messages("user", "assistant")}, A, 0),
        ({"messages": [*messages("user", "assistant"), *THANKS]}, A, 2),
        ({"messages": [{"role": "system", "content": "Be brief."}, *messages("user", "assistant"), *THANKS]}, A, 2),
        ({"messages": [{"role": "assistant", "content": "Hello."}, *messages("user", "assistant"), THANKS[0]]}, A, 1),
        ({"messages": [messages("user", "assistant")[0], *TOOL, messages("user", "assistant")[1]]}, A, 0),
        ({"messages": [messages("user", "assistant")[0], *THANKS]}, "", 2),
        ({"messages": messages("user", "assistant")[:1]}, "", 0),
        ({"conversations": [[Q, A], ["Thanks!", "You are welcome."]]}, A, 2),
        ({"prompt": [*messages("user", "assistant"), THANKS[0]], "completion": THANKS[1:]}, A, 2),
        ({"prompt": messages("user", "assistant")[:1], "completion": messages("user", "assistant")[1:]}, A, 0),
        ({"chosen": [*messages("user", "assistant"), *THANKS]}, A, 2),
    ],
)
def test_the_first_request_and_the_answer_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, row: dict[str, Any], answer: str, further: int
) -> None:
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 2)
    assert read_pairs(open_rows(tmp_path / "rows.jsonl"), None, None) == ([Q] * 2, [answer] * 2)
    messages_logged = [message for message in caplog.messages if "further turns" in message]
    assert [message.rpartition(" ")[2] for message in messages_logged] == ([str(2 * further)] if further else [])


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"messages": messages("narrator", "poet")}, {}, r"column 'messages': .* unknown roles narrator, poet \("),
        ({"messages": json.dumps(messages("user", "poet"))}, {}, r"'messages': .* roles poet \(of user, poet\)"),
        ({"messages": [{"q": Q, "a": A}]}, {}, r"column 'messages': expected a list of turns .* found \[\{\"q\""),
        ({"conversations": "[{'from': 'human'; 'value'}]"}, {}, r"column 'conversations': expected a list of turns"),
        ({"talk": Q}, {"instruction": "talk"}, r"^--response: expected the name of a column, as 'talk' holds no chats"),
        ({"talk": Q}, {"response": "talk"}, r"^--instruction: expected the name of a column, as 'talk' holds no"),
        ({"q": Q, "a": [A]}, {"instruction": "q", "response": "a"}, r"^--response 'a': expected a column of strings"),
        ({"x": Q, "y": A}, {}, r"^--instruction: expected the name of a column, .* x, y$"),
        ({"prompt": Q}, {}, r"^--response: expected the name of a column, as 'prompt' holds no chats"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, row: dict[str, Any], options: dict[str, str], message: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    with pytest.raises(ConfigError, match=message):
        read_pairs(open_rows(tmp_path / "rows.jsonl"), options.get("instruction"), options.get("response"))


def test_a_table_without_a_known_column_has_no_layout() -> None:
    assert find_layout(["a", "input"]) is None
