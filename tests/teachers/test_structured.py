r"""Replies in JSON with slips, and texts whose backslashes JSON's escapes ate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.structured import clean, parse_object

KEY = "instruction"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"instruction": "x y",}', "x y"),
        ('{"instruction": "line\nline"}', "line\nline"),
        ("{'instruction': 'it is'}", "it is"),
        ("{'instruction': \"it's\", 'ok': True}", "it's"),
        ("{'instruction': 'it\\'s'}", "it's"),
        ("{“instruction”: “x”}", "x"),
        ('{"instruction": "\\q \\alpha \\underline{x}"}', "\\q \\alpha \\underline{x}"),
        ('{"instruction": "use \\\'x\\\'"}', "use 'x'"),
        ('{"instruction": "he said "hi" to me"}', 'he said "hi" to me'),
        ('{"instruction": "x"}}', "x"),
        ('{instruction: "x"}', "x"),
        ('```json\n{"instruction": "x",}\n```', "x"),
        ('{"result": {"instruction": "x"}}', "x"),
        ('{"data": {"n": 1, "y": [{"Instruction": "x"}]}}', "x"),
        ('{"Instruction": "x"}', "x"),
        ('{"INSTRUCTION": "x\ny",}', "x\ny"),
        ('[{"instruction": "x"}]', "x"),
        ('{"instruction": "é \\u00e9 \\ud83d\\ude00",}', "é é 😀"),
    ],
)
def test_slips_are_read(reply: str, value: str) -> None:
    found = parse_object(reply, (KEY,))
    assert found is not None
    assert found[KEY] == value


@pytest.mark.parametrize(
    "reply",
    [
        '{"instruction": "cut of',
        '{"instruction": "x", "b": ',
        '{"instruction": {"b":1}',
        '{"a": 1, "instruction": "cut off here}',
        "{'instruction': 'cut {off}",
        '{"instruction": "he goes\\',
        '{"a": {"instruction": "x"}, "b": {"instruction": "y"}}',
        '{"other": "x",}',
        "{}",
        "}{",
    ],
)
def test_what_is_cut_off_or_in_doubt_is_none(reply: str) -> None:
    assert parse_object(reply, (KEY,)) is None


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{a}{b} \beta \times \nabla \theta \rho",
        r"C:\new\table",
        r"C:\Users\name\reports",
        r"D:\temp\file.txt",
        r"$x \to 0$ and $\nu$ and $a \ne b$, $\tan x$",
        r"\begin{x} \text{a} \forall \right) \bar x \neq \notin \nabla",
        r"\tau \rangle \boldsymbol{x} \triangle \therefore",
    ],
)
def test_backslashes_that_escapes_ate_are_restored(text: str) -> None:
    for reply in (f'{{"instruction": "{text}"}}', f'{{"instruction": "{text}",}}'):
        assert parse_object(reply, (KEY,)) == {KEY: text}


@pytest.mark.parametrize(
    "text",
    [
        "Vitamin C:\nIt helps",
        "a\tb\nc",
        "$$\nu = 3\n$$",
        "Open C:\\Windows\\System32\nthen run",
        "\\hline\nText",
        "e = 1\nu = 2\nnot so\tan apple\teal\nless\nmid",
        "Option C:\nName\tAge",
        "$x$\no and $y$",
    ],
)
def test_good_newlines_and_tabs_stay(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("page\n\f\nnext", "page\n\n\nnext"),
        ("\x1b[31mred", "␚[31mred"),
        ("\bword\b", "␚word␚"),
        ("a\0b", "ab"),
    ],
)
def test_no_other_control_character_is_left(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(st.sampled_from("abefnrtu \b\f\n\r\t\\$:C\x1b\x7f\x85")))
def test_any_text_is_clean(text: str) -> None:
    assert not set(clean(text)) & ({*map(chr, range(32))} - {"\n", "\t"} | {"\x7f", "\x85"})


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (r'{"instruction": "a \ud800 b"}', "a \ufffd b"),
        (r'{"instruction": "a \uDFFF"}', "a \ufffd"),
        (r'{"instruction": "\ud83d\ude00"}', "\U0001f600"),
        (r'{"instruction": "\ude00\ud83d"}', "\ufffd\ufffd"),
        (r'{"instruction": "a \ud800 b",}', "a \ufffd b"),
        (r'{"result": {"instruction": "a \ud800 b"}}', "a \ufffd b"),
        ('{"instruction": "a \udc00 b"}', "a \ufffd b"),
        ('{"instruction": "x", "instruction": "x"}', "x"),
        ('{"instruction": "x", "instruction": "y"}', None),
        ('{"a": {"instruction": "y"}, "instruction": "x"}', "x"),
    ],
)
def test_lone_surrogates_are_replaced_and_contradictions_are_not_read(reply: str, value: str | None) -> None:
    found = parse_object(reply, (KEY,))
    assert (found and found[KEY]) == value


HOSTILE = [
    "{",
    '{"a": ',
    "[",
    '{"a":{',
    '"',
    "{'",
    '{"a": "x" "',
    "}",
    '{"a": "x", "a": "y"}',
    "\\",
    "C:\n",
    "\tan",
    "$\ne",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_replies_are_read_at_once(piece: str) -> None:
    many = piece * (100_000 // len(piece))
    few = piece * (7_000 // len(piece))
    for text in (many, many + "}" * 100_000, f"{{'instruction': {few}}}", f'{{"instruction": "{few}"}}'):
        parse_object(text, (KEY,))
    clean(many)
