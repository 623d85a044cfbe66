"""Samples of datasets in every known format, and the errors for those that cannot be read."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.datasets import plain_text
from skillmill.skill_taxonomy.extraction.examples import (
    ROW_GROUP,
    SCHEMA,
    ExampleLabels,
    Examples,
    example_of,
    read_examples,
    write_labelled_examples,
)
from skillmill.skill_taxonomy.sources import TaxonomyConfig

ROWS = [
    {"instruction": f"Name {n} trees.", "input": "in the park" if n % 2 else "", "output": "Oak."} for n in range(9)
]

Reading = Callable[..., Examples]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """`reading(rows, column=...)`: the examples of a file of JSON lines with these rows."""

    def read(rows: list[dict[str, Any]], **options: Any) -> Examples:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_examples(TaxonomyConfig(source="dataset", dataset=str(path), **options), 1, tmp_path / "cache")

    return read


@pytest.mark.parametrize(
    ("row", "request_text", "answer"),
    [
        (
            {"instruction": "Name trees.", "input": "in the park", "output": "Oak."},
            "Name trees.\n\nin the park",
            "Oak.",
        ),
        ({"prompt": "Name trees.", "completion": "Oak.", "id": 3}, "Name trees.", "Oak."),
        ({"question": "1 + 1?", "answer": "2", "level": 5}, "1 + 1?", "2"),
        ({"text": "  A text.  "}, "A text.", ""),
        (
            {
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Good day"},
                    {"role": "user", "content": "And now?"},
                ]
            },
            "Hello",
            "Good day\n\nAnd now?",
        ),
        ({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}]}, "Hi", "Yes?"),
        (
            {
                "prompt": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
                "completion": [{"role": "assistant", "content": "Yes?"}],
            },
            "Hi",
            "Yes?",
        ),
        ({"conversations": [["Hi", "Yes?"], ["Thanks!", "Welcome."]]}, "Hi", "Yes?\n\nThanks!\n\nWelcome."),
        ({"conversations": '[{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}]'}, "Hi", "Yes?"),
        ({"messages": [{"role": "prompter", "text": "Hi"}, {"role": "assistant", "text": "Yes?"}]}, "Hi", "Yes?"),
        ({"messages": [{"role": "用户", "content": "Hi"}, {"role": "助手", "content": "Yes?"}]}, "Hi", "Yes?"),
        ({"chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]}, "Hi", "Yes?"),
        (
            {"instruction": "Cook it.", "instances": [{"input": "rice", "output": "Boil."}]},
            "Cook it.",
            "input: rice\noutput: Boil.",
        ),
    ],
)
def test_formats(reading: Reading, row: dict[str, Any], request_text: str, answer: str) -> None:
    example = reading([row])[0]
    assert (example.request, example.answer) == (request_text, answer)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "jsonl.gz", "folder", "saved", "saved splits"])
@pytest.mark.parametrize("parent", ["data", "exp[k=3]", "a*b", "what?", "[!x]"])
def test_files_and_folders(tmp_path: Path, form: str, parent: str) -> None:
    """Names of folders are literal, also those that `datasets` reads as patterns."""
    import datasets

    (tmp_path / parent).mkdir()
    table, path = pa.Table.from_pylist(ROWS), tmp_path / parent / f"rows.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "csv":
        pacsv.write_csv(table, path)
    elif form == "json":
        path.write_text(json.dumps(ROWS))
    elif form == "folder":
        path.mkdir()
        pq.write_table(table, path / "train.parquet")
    elif form == "saved":
        datasets.Dataset(table).save_to_disk(path)
    elif form == "saved splits":
        datasets.DatasetDict({"train": datasets.Dataset(table)}).save_to_disk(path)
    else:
        content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
        path.write_bytes(gzip.compress(content, mtime=0) if form.endswith("gz") else content)
    examples = read_examples(TaxonomyConfig(source="dataset", dataset=str(path)), 1, tmp_path / parent / "cache")
    assert sorted(example.row for example in examples) == list(range(len(ROWS)))
    assert {example.request.split("\n")[0] for example in examples} == {row["instruction"] for row in ROWS}
    assert {example.answer for example in examples} == {"Oak."}


def test_any_column_or_several(reading: Reading) -> None:
    assert reading(ROWS, column="output")[0].request == "Oak."
    assert reading(ROWS, column=["output", "instruction"])[0].request.startswith("Oak.\n\nName ")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (ROWS, {"column": "prompt"}, "column: there is no 'prompt' in .*, expected of instruction, input, output"),
        ([{"a": 1, "b": 2}], {}, "is in no format that is known, expected the name of a column, .* a, b"),
        ([{"text": ""}, {"text": None}], {}, "column: text holds no text"),
        ([], {}, "cannot be loaded|is empty"),
        (ROWS, {"split": "test"}, "cannot be loaded: Unknown split"),
        ([{"messages": [{"role": "poet", "content": "Hi"}]}], {}, "column 'messages': .* unknown roles poet"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    reading: Reading, rows: list[dict[str, Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        reading(rows, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "there is no file"),
        ("mine.docx", "text", "expected a name that ends in .jsonl"),
        ("bad.jsonl", '{"text": ', "cannot be loaded"),
        ("nobody/nothing-of-the-kind", None, "cannot be loaded"),
    ],
)
def test_a_dataset_that_is_none(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
        name = str(tmp_path / name)
    with pytest.raises(ConfigError, match=rf"taxonomy\.dataset: .*{message}"):
        read_examples(TaxonomyConfig(source="dataset", dataset=name), 1, tmp_path / "cache")


@given(st.integers(1, 400), st.integers(2, 400), st.integers(0, 9))
def test_a_sample_is_distinct_and_a_larger_one_begins_with_it(rows: int, wanted: int, seed: int) -> None:
    table = [{"text": str(row)} for row in range(rows)]

    def sample(size: int) -> list[int]:
        return [example.row for example in Examples("t", table, (("text",), ()), min(size, rows), seed)]

    assert len(set(sample(wanted))) == min(wanted, rows)
    assert set(sample(wanted)) <= set(range(rows))
    assert sample(wanted + 50)[: min(wanted, rows)] == sample(wanted)


def test_another_seed_is_another_sample(reading: Reading) -> None:
    table = [{"text": str(row)} for row in range(1000)]
    one, other = ({e.row for e in Examples("t", table, (("text",), ()), 20, seed)} for seed in (1, 2))
    assert one != other


def test_the_licence_is_that_of_the_dataset() -> None:
    table = datasets.Dataset.from_dict({"text": ["a"]}, info=datasets.DatasetInfo(license="CC-BY-4.0"))
    assert Examples("t", table.select_columns(["text"]), (("text",), ()), 1, 1).license == "CC-BY-4.0"
    assert Examples("t", [{"text": "a"}], (("text",), ()), 1, 1).license == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(values)
def test_any_value_has_a_text(value: object) -> None:
    assert isinstance(plain_text(value), str)
    assert example_of(0, {"column": value}, ["column"], []).row == 0


def test_exemplars_lie_in_a_table_of_a_fixed_form(tmp_path: Path) -> None:
    table = [{"text": f"request {row}"} for row in range(ROW_GROUP + 5)]
    examples = Examples("t", table, (("text",), ()), len(table), 1)
    labelled = [ExampleLabels("Trees", ("tree naming",), ("naming",)) for _ in table[:-1]] + [ExampleLabels()]
    write_labelled_examples(tmp_path / "found.parquet", examples, labelled)
    found = pq.read_table(tmp_path / "found.parquet")
    assert found.schema == SCHEMA
    assert found.num_rows == len(table)
    assert sorted(found["row"].to_pylist()) == list(range(len(table)))
    assert found.to_pylist()[-1] == {
        **{"row": examples[-1].row, "request": examples[-1].request, "answer": ""},
        **{"subject": "", "labels": [], "skills": []},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["found.parquet"]


def test_the_encoding_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("text\ncafé\n".encode("cp1252"))
    config = {"source": "dataset", "dataset": str(tmp_path / "rows.csv")}
    with pytest.raises(ConfigError, match=r"^taxonomy\.dataset: .* not encoded in utf-8 .* encoding: cp1252$"):
        read_examples(TaxonomyConfig.model_validate(config), 1, tmp_path / "cache")
    examples = read_examples(TaxonomyConfig.model_validate(config | {"encoding": "cp1252"}), 1, tmp_path / "cache")
    assert [example.request for example in examples] == ["café"]


def test_the_lines_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("Name trees.\n7\n")
    examples = read_examples(TaxonomyConfig(source="dataset", dataset=str(tmp_path / "rows.txt")), 1, tmp_path / "c")
    assert sorted(example.request for example in examples) == ["7", "Name trees."]
