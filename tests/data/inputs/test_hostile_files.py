"""Files of rows as they come: odd values, encodings, names and damages, and the line that each of them gets."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.inputs import row_files, text_rows
from skillmill.data.inputs.column_types import FIELDS
from skillmill.data.inputs.row_files import open_rows, read_batches

LONG = 10**30


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [row for batch in open_rows(path, **options).batches(size=2) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "x", [1, 2], {"a": 1}], ["1", "x", "[1, 2]", '{"a": 1}']),
        ([None, None, None, 4], [None, None, None, 4]),
        ([None, None, None, [4]], [None, None, None, [4]]),
        ([1, 2, 3, 0.5], [1.0, 2.0, 3.0, 0.5]),
        ([2**60 + 1, 2, 3, 0.5], [str(2**60 + 1), "2", "3", "0.5"]),
        ([2**60 + 1, 2, 3, 4], [2**60 + 1, 2, 3, 4]),
        ([1, 2, LONG, 4], ["1", "2", str(LONG), "4"]),
        ([True, False, 1, 0], ["true", "false", "1", "0"]),
        ([{"a": 1}, {"a": 1}, {"b": "é"}, None], [{"a": 1, "b": None}] * 2 + [{"a": None, "b": "é"}, None]),
        ([{"a": 1}, {"a": 1}, {"a": "x"}, None], ['{"a": 1}', '{"a": 1}', '{"a": "x"}', None]),
        ([[{"a": [1]}], [], None, [{"a": None}]], [[{"a": [1]}], [], None, [{"a": None}]]),
        ([{}, {}, {}, {}], ["{}"] * 4),
        ([None] * 4, [None] * 4),
        ([{f"key {n}": n} for n in range(4)], None),
    ],
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows.json.gz"])
def test_a_column_keeps_its_type_or_becomes_text(
    tmp_path: Path, name: str, values: list[Any], expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches have two rows, so that types also change between batches."""
    monkeypatch.setattr(row_files, "BATCH_ROWS", 2)
    rows = [{"text": "a", "meta": value} for value in values]
    content = (lines(*rows) if ".jsonl" in name else json.dumps(rows, indent=4)).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    found = read(path)
    assert [row["text"] for row in found] == ["a"] * 4
    if expected is not None:
        assert [row["meta"] for row in found] == expected


def test_keys_that_are_data_are_text(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(lines(*({"meta": {f"id {n}": n}} for n in range(FIELDS + 50))))
    assert read(tmp_path / "rows.jsonl")[1]["meta"] == '{"id 1": 1}'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("bom.csv", b"\xef\xbb\xbftext,n\na,1\n", [{"text": "a", "n": 1}]),
        ("bom.jsonl", b'\xef\xbb\xbf{"text": "a"}', [{"text": "a"}]),
        ("utf16.csv", "text,n\nä,1\n".encode("utf-16"), [{"text": "ä", "n": 1}]),
        ("crlf.csv", b'text,n\r\n"a\r\nb",1\r\n', [{"text": "a\r\nb", "n": 1}]),
        ("crlf.jsonl", b'{"text": "a"}\r\n\r\n{"text": "b"}\r\n', [{"text": "a"}, {"text": "b"}]),
        ("blank.csv", b"\n\ntext,n\n\na,1\n\n", [{"text": "a", "n": 1}]),
        ("rows.tsv", b'text\tn\n"a\tb"\t1\nc, d\t2\n', [{"text": "a\tb", "n": 1}, {"text": "c, d", "n": 2}]),
        ("zeros.csv", b"text,n\na,007\nb,1\n", [{"text": "a", "n": "007"}, {"text": "b", "n": "1"}]),
        (
            "gaps.csv",
            b"text,n\na,\nb,\nc,1.5\n",
            [{"text": t, "n": n} for t, n in (("a", None), ("b", None), ("c", 1.5))],
        ),
        ("long.csv", f"text,n\na,{LONG}\n".encode(), [{"text": "a", "n": str(LONG)}]),
        ("late.csv", b"text,n\na,1\nb,2\nc,x\n", [{"text": t, "n": n} for t, n in ("a1", "b2", "cx")]),
        ("twice.csv", b"text,n,n\na,1,2\n", [{"text": "a", "n": 1}]),
        ("nul.csv", b"text\na\x00b\n", [{"text": "a\x00b"}]),
        ("nan.jsonl", b'{"text": "a", "n": null}\n{"text": NaN, "n": 1}', None),
        ("objects.json", b'{"text": "a"}\n{"text": "b"}', [{"text": "a"}, {"text": "b"}]),
        ("list.jsonl", b'[{"text": "a"}, {"text": "b"}]', [{"text": "a"}, {"text": "b"}]),
        ("surrogates.jsonl", rb'{"text": "\ud83d\ude00 \ud83d", "\udc00": 1}', [{"text": "😀 \ufffd", "\ufffd": 1}]),
        ("header.csv", b"text,n\n", []),
        ("empty.csv", b"", []),
        ("empty.jsonl", b"", []),
        ("empty.json", b"[]", []),
    ],
)
def test_what_is_read(tmp_path: Path, name: str, content: bytes, expected: list[dict[str, Any]] | None) -> None:
    for path, stored in ((tmp_path / name, content), (tmp_path / f"{name}.gz", gzip.compress(content, mtime=0))):
        path.write_bytes(stored)
        found = read(path)
        assert expected is None or found == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cp1252.csv", "text\ncafé\n".encode("cp1252"), r"not encoded in utf-8 \(byte 0xe9\).* --encoding cp1252$"),
        ("cp1252.jsonl", lines({"text": "café"}).encode("cp1252"), "not encoded in utf-8"),
        ("ragged.csv", b"text,n\na,1,2\n", "has 3 fields, expected 2"),
        ("short.csv", b"text,n\na\n", "has 1 fields, expected 2"),
        ("quote.csv", b'text,n\n"a,1\nb,2\n', "unexpected end of data"),
        ("cut.jsonl", b'{"text": "a"}\n{"text": "b', "line 2 is no JSON: Unterminated string"),
        ("cut.json", b'[{"text": "a"}, ', "is no JSON: Expecting value"),
        ("open.json", b'[{"text": "a"}', "expected , or ]"),
        ("more.json", b'[{"text": "a"}] 1', "expected nothing after the list"),
        ("one.json", b'{"data": [{"text": "a"}]}', "expected a list of objects"),
        ("numbers.jsonl", b"1\n2\n", "line 1: expected a list of objects, or one object a line, found 1"),
        ("lists.json", b'[["text"]]', "expected a list of objects"),
        ("deep.json", b"[" * 100_000, "expected a list of objects|nested too deeply"),
        ("deep.jsonl", b'{"a": ' * 100_000, "nested too deeply"),
        ("none.jsonl.gz", b'{"text": "a"}', "cannot be read"),
        ("cut.jsonl.gz", gzip.compress(lines({"text": "a" * 999}).encode(), mtime=0)[:-12], "cannot be read"),
        ("none.parquet", b"", "cannot be read"),
        ("none.parquet.gz", gzip.compress(b"no", mtime=0), "cannot be read"),
        ("rows.xlsx", b"", "expected a name that ends in .parquet, .csv, .tsv, .jsonl, .ndjson, .json"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_an_encoding_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes("text\ncafé\n".encode("cp1252"))
    assert read(tmp_path / "rows.csv", encoding="cp1252") == [{"text": "café"}]
    for unknown in ("cp99999", "base64", "a\x00b"):
        with pytest.raises(ConfigError, match=r"^--encoding '.*': is no known encoding"):
            read(tmp_path / "rows.csv", encoding=unknown)


def test_what_is_changed_is_one_line_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "skillmill")
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": "\\ud83d \\udc00"}\n{"a": "x", "b": ""}\n')
    (tmp_path / "b.csv").write_text("a,b,b\n1,2,3\n")
    for name in ("a.jsonl", "b.csv"):
        read(tmp_path / name)
    assert [record.getMessage() for record in caplog.records] == [
        "a.jsonl: lone surrogates replaced with U+FFFD: 2",
        "a.jsonl: read as text, because the type changes from row to row: a",
        "b.csv: only the first column named b is kept",
    ]


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text("text,n,n\na,1,2\n")
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["n", "n"]), tmp_path / "twice.parquet")
    for name in ("twice.csv", "twice.parquet"):
        with pytest.raises(ConfigError, match=rf"^--response 'n': {name} has 2 columns of this name$"):
            open_rows(tmp_path / name).require("n", "--response")
        assert len(read(tmp_path / name)) == 1


def test_a_compressed_parquet_file_and_columns_with_dots(tmp_path: Path) -> None:
    table = pa.table({"a.b": ["x", "y"], "a": [{"b": 1}, None], "c": [1, 2]})
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "rows.parquet.gz").write_bytes(gzip.compress((tmp_path / "rows.parquet").read_bytes(), mtime=0))
    file = open_rows(tmp_path / "rows.parquet.gz")
    assert [batch.to_pydict() for batch in file.batches(["a.b"])] == [{"a.b": ["x", "y"]}]
    assert read(tmp_path / "rows.parquet.gz") == table.to_pylist()


@pytest.mark.parametrize("folder", ["exp[k=3]", "a*b", "what?", "[!x]"])
def test_paths_are_literal(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    for name in ("rows[1].jsonl", "rows*.csv", "?.parquet"):
        path = tmp_path / folder / name
        if path.suffix == ".parquet":
            pq.write_table(pa.table({"text": ["a"]}), path)
        else:
            path.write_text('{"text": "a"}\n' if path.suffix == ".jsonl" else "text\na\n")
        assert read(path) == [{"text": "a"}]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_a_row_of_25_mb_and_memory_that_does_not_grow(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, path = "a b " * 6_250_000, tmp_path / name
    rows = [{"text": "first"}, {"text": large}, {"text": "last"}]
    path.write_text(
        {"rows.jsonl": lines(*rows), "rows.json": json.dumps(rows)}.get(name, f"text\nfirst\n{large}\nlast\n")
    )
    assert [row["text"] for row in read(path)] == ["first", large, "last"]
    monkeypatch.setattr(text_rows, "BATCH_CHARACTERS", 1000)
    assert [batch.num_rows for batch in read_batches(path)] == [2, 1]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.jsonl.gz"])
def test_of_a_repeated_key_the_last_value_is_read_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    row = '{"a": "first", "a": "last", "b": {"c": 1, "c": 2}}'
    text = f"[{row}, {row}]" if name == "rows.json" else f"{row}\n{row}\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert [found["a"] for found in read(tmp_path / name)] == ["last", "last"]
    assert [message for message in caplog.messages if "comes twice" in message] == [
        f"{name}: objects in which a key comes twice, the last value is read: 'c', 'a'"
    ]


@pytest.mark.parametrize(
    "address", ["https://example.org/rows.jsonl", "http://h/a.csv", "s3://b/rows.parquet", "hf://datasets/a/b.json"]
)
def test_an_address_is_refused_by_its_name(tmp_path: Path, address: str) -> None:
    for path in (Path(address), tmp_path / address):
        with pytest.raises(ConfigError, match=f"{address}: expected a local file, found an address; download"):
            open_rows(path)
