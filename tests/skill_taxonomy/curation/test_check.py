"""Every finding of `taxonomy check` names the line that a person has to edit."""

import pytest

from skillmill.data.inputs.yaml_file import LineNumbers
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.formats import read_taxonomy
from skillmill.skill_taxonomy.sources import builtin

FAULTY = """\
# line 1
skills:
- name: irony
  category: literary
  definition: Saying the opposite of what is meant, so that it shows.
  example: Lovely weather, said under an umbrella.
- name: Irony
  category: literary
  definition: Meaning the opposite of the words that are said aloud.
  example: What a clean kitchen this is.
- name: sarcasm, mild
  category: literary
  definition: Mockery that dresses itself up as praise.
  example: Late again, how very punctual.
- name: budget planning
  category: literary
- name: budget planning skills
  category: literary
  definition: Budget planning means planning a budget.
  example: Rent first, then food.
- name: cheese tasting
  category: literary
  definition: Telling a ripe wheel from a young one, with help from wine pairing.
  example: This one is older.
  aliases: [fromage, "time\\u200bline"]
- name: wine pairing
  category: lonely
  definition: Choosing what to drink, often after some cheese tasting first.
  example: White, with that.
- name: meiosis
  category: other
  definition: A deliberate understatement of how large something is.
- name: litotes
  category: literary
  definition: Affirming a thing by denying what is contrary to it.
  example: Not bad at all.
  aliases: [meiosis]
topics:
- name: cheese tastings
query_types:
- name: how-to
"""

EXPECTED = [
    (7, "error", "Irony", "is already skills[0]"),
    (11, "error", "sarcasm, mild", "has a comma"),
    (15, "error", "budget planning", "has no definition"),
    (15, "warning", "budget planning", "has no example"),
    (17, "warning", "budget planning skills", "is nearly the same name as 'budget planning'"),
    (21, "warning", "cheese tasting", "is a topic as well: 'cheese tastings'"),
    (23, "warning", "cheese tasting", "is defined by 'wine pairing', which is defined by it"),
    (25, "warning", "cheese tasting", "the alias has the character U+200B ZERO WIDTH SPACE"),
    (30, "warning", "meiosis", "has no example"),
    (33, "error", "litotes", "shares a name or an alias with 'meiosis'"),
    (41, "error", "how-to", "has no definition"),
]


def findings_of(text: str) -> list[tuple[int, str, str, str]]:
    lines = LineNumbers(text)
    return [
        (lines[f.location], f.severity, f.entry, f.message)
        for f in find_faults(read_taxonomy(text, "", duplicates=True))
    ]


@pytest.mark.parametrize(("line", "severity", "entry", "message"), EXPECTED)
def test_each_fault_is_found_on_its_line(line: int, severity: str, entry: str, message: str) -> None:
    assert [f for f in findings_of(FAULTY) if f[:3] == (line, severity, entry) and message in f[3]], findings_of(FAULTY)


def test_findings_come_in_the_order_of_the_file() -> None:
    places = [line for line, *_ in findings_of(FAULTY)]
    assert max(b - a for a, b in zip(places[1:], places, strict=False)) <= 3  # within an entry only


@pytest.mark.parametrize("name", ["language", "checkable", "instruct"])
def test_the_built_in_lists_have_no_errors(name: str) -> None:
    assert [finding for finding in find_faults(builtin(name)) if finding.severity == "error"] == []


def skill(name: str, category: str = "c", definition: str = "Doing a thing that one can learn to do well.") -> str:
    return f"- {{name: {name}, category: {category}, definition: {definition!r}, example: Here it is.}}\n"


@pytest.mark.parametrize(
    ("definition", "severity"),
    [
        ("A budget plan.", "error"),
        ("Planning of budgets and budget planning.", "error"),
        ("Writing a budget planning sheet for a whole year.", "warning"),
    ],
)
def test_a_definition_by_its_own_name(definition: str, severity: str) -> None:
    messages = [
        f for f in findings_of("skills:\n" + skill("budget planning", definition=definition)) if "definition" in f[3]
    ]
    assert [(line, given) for line, given, *_ in messages] == [(2, severity)]


def test_a_name_inside_another_word_is_no_use_of_the_name() -> None:
    text = "skills:\n" + skill("fine art", definition="Refine artful things that a small party starts.")
    assert findings_of(text) == []


def test_unbalanced_categories() -> None:
    names = "abcdefghijklmnopqrstuvwxyz"
    rows = [skill(f"large {a}{a}{a} thing", "large") for a in names[:20]]
    rows += [skill(f"{c} {a}{a}{a} thing", c) for c in ("first", "second", "third") for a in names[:4]]
    messages = [message for _, _, entry, message in findings_of("skills:\n" + "".join(rows)) if entry == "large"]
    assert messages == ["unbalanced: 20 skills, where the median category has 4"]


def test_a_query_type_of_a_category_without_skills_is_an_error_on_its_line() -> None:
    text = """\
skills:
- name: irony
  category: literary
  definition: Saying the opposite of what is meant, so that it shows.
  example: Lovely weather, said under an umbrella.
query_types:
- name: style advice
  category: Literary
  definition: The user wants to know how to write better.
- name: trip planning
  category: sailing
  definition: The user wants a plan for a journey with its stages in order.
"""
    [finding] = find_faults(read_taxonomy(text, ""))
    assert (finding.severity, finding.entry) == ("error", "trip planning")
    assert finding.message == "goes with the category 'sailing', which no skill has"
    assert finding.location == ("query_types", 1, "category")
