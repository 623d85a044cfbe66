"""YAML files: content, errors with their line, line numbers of keys and entries."""

import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml

TEXT = "name: x\nskills:\n- name: a\n- name: b\n  category: c\n"


def test_the_content_is_plain_data() -> None:
    assert read_yaml(TEXT, "f.yaml") == {"name": "x", "skills": [{"name": "a"}, {"name": "b", "category": "c"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"^f\.yaml:3: is not YAML: the key 'a' comes twice$"),
        ("a: [1\nb: 2", r"^f\.yaml:2: is not YAML: "),
        ("a: 2024-13-45", r"^f\.yaml: is not YAML: month must be in 1\.\.12"),
        ("[" * 20_000, r"^f\.yaml.*: is not YAML"),
        ("a: \x07", r"^f\.yaml.*: is not YAML"),
    ],
)
def test_what_is_not_yaml_is_one_line_that_names_the_file(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        read_yaml(text, "f.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ((), 1),
        (("name",), 1),
        (("skills",), 2),
        (("skills", 1), 4),
        (("skills", 1, "category"), 5),
        (("skills", 1, "missing", 7), 4),
        (("skills", 9), 2),
    ],
)
def test_a_location_has_the_line_of_its_nearest_part(location: Location, line: int) -> None:
    assert LineNumbers(TEXT)[location] == line


@pytest.mark.parametrize(
    ("word", "read_as"),
    [
        *(("no", "false"), ("Yes", "true"), ("on", "true"), ("off", "false"), ("~", "null"), ("null", "null")),
        *(("12:30", "a number"), ("1984", "a number"), ("0x1F", "a number"), ("1.5", "a number")),
        ("2020-01-01", "a date"),
    ],
)
def test_a_word_that_yaml_reads_as_another_value(word: str, read_as: str) -> None:
    message = f"YAML reads {word} as {read_as}, put it in quotes to make it text: '{word}'"
    assert LineNumbers(f"a:\n- {word}\n").misread(("a", 0)) == message
    assert LineNumbers(f"w:\n  ok: 1\n  {word}: 2\n").misread(("w", 0, "[key]")) == message
    assert LineNumbers(f"w:\n  ok: 1\n  {word}: 2\n")["w", 0, "[key]"] == 3


@pytest.mark.parametrize("text", ["a: word", "a: 'no'", "a: [1]", "a: {b: 1}", "a: [", "a: 1e3"])
def test_text_is_read_as_it_stands(text: str) -> None:
    assert LineNumbers(text).misread(("a",)) is None


def test_a_text_that_is_not_yaml_has_line_1_everywhere() -> None:
    assert LineNumbers("a: [")["a",] == 1
