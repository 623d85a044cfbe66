r"""Replies in JSON with slips, and texts whose backslashes JSON's escapes ate."""

import re
from collections.abc import Callable

import orjson
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
        ('{\n// the task\n"instruction": "x"}', "x"),
        ('{"n": 1, /* the task */ "instruction": "see http://x.y // z",}', "see http://x.y // z"),
        ('{"n": 1, # one\n"instruction": "x"}', "x"),
        ('{"instruction": "x"\n"n": 1}', "x"),
        ('{"instruction": "x"; "n": 1}', "x"),
        ('{"instruction": "x", "n": True, "m": None}', "x"),
        ('{"instruction": "x",}\n\n{"instruction": "x",}', "x"),
        ('As {this} asks:\n{"instruction": "x",}\nI hope it helps.', "x"),
        ('"{"instruction": "x"}"', "x"),
        ('{"instruction": "f(\'{}\')",}', "f('{}')"),
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
        '{"instruction": "score: 8} and',
        '{"instruction": "score: 8}',
        '{"instruction": "say \\"}\\" and',
        '{"instruction": "say \\"}',
        '{"instruction": "print "}" to the',
        '{"instruction": "[1, 2]}',
        '{"instruction": x}',  # the end of a text without quotes is in doubt
        '{"instruction": "the "hygge," which he likes, and "more"}',  # text would be lost
        '{"instruction": "x", ...}',
        '{"instruction": "x", "score": null .5}',
        '{"instruction": `x`}',
        '{"instruction": "x" + "y"}',
        '{"instruction": "x",}\n{"instruction": "y',
        "{'other': 'x', 8: 'y'}",
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


TEXTS = st.text(st.sampled_from("ab z.,:;'\"{}[]()\n\\é“”8/#\t"), min_size=1, max_size=30)
SLIPS: dict[str, Callable[[str], str]] = {
    "none": str,
    "trailing comma": lambda reply: f"{reply[:-1]},}}",
    "raw newlines": lambda reply: reply.replace("\\n", "\n"),
    "Python": lambda reply: repr(orjson.loads(reply)),
    "code fence": lambda reply: f"```json\n{reply[:-1]},}}\n```",
    "unquoted keys": lambda reply: re.sub(r'"(instruction|n|last)":', r"\1:", reply),
    "no comma": lambda reply: reply.replace('","last', '"\n"last'),
    "comment": lambda reply: reply.replace("{", "{ // reply\n", 1),
    "leading prose": lambda reply: f"Here it is {{as asked}}:\n{reply[:-1]},}}",
}


@pytest.mark.parametrize("slip", SLIPS)
@given(st.fixed_dictionaries({KEY: TEXTS, "last": TEXTS}), st.data())
def test_a_cut_off_reply_is_never_read(slip: str, fields: dict[str, str], data: st.DataObject) -> None:
    """The first field is complete if it is followed by the second one: then the object lacks the second."""
    reply = SLIPS[slip](orjson.dumps(fields).decode())
    cut = reply[: data.draw(st.integers(0, reply.rstrip("`\n").rindex("}")))]
    for text in (cut, f"{cut}\n```"):
        assert parse_object(text, (KEY,)) is None
        assert parse_object(text, (KEY,), whole=False) is None


@pytest.mark.parametrize("slip", SLIPS)
@given(st.fixed_dictionaries({KEY: TEXTS, "last": TEXTS}))
def test_a_reply_with_a_slip_is_read_whole_or_not_at_all(slip: str, fields: dict[str, str]) -> None:
    found = parse_object(SLIPS[slip](orjson.dumps(fields).decode()), (KEY,))
    expected = {key: clean(text) for key, text in fields.items()}
    assert found is None or {key: letters(text) for key, text in found.items()} == {
        key: letters(text) for key, text in expected.items()
    }


def letters(text: str) -> str:
    return re.sub(r"[\s\"'“”\\]", "", text)


def test_slips_of_a_reply_that_reached_the_limit_are_not_read() -> None:
    assert parse_object('{"instruction": "x",}', (KEY,), whole=False) is None
    assert parse_object('{"instruction": "x"} and', (KEY,), whole=False) == {KEY: "x"}
