"""Precision and recall of the rules of `builtin:checkable` on sentences labelled by meaning."""

from collections import Counter
from pathlib import Path

from skillmill.skill_taxonomy.checkers import CHECKERS, check

SENTENCES = Path(__file__).parent / "data" / "checker_sentences.txt"
DOCUMENT = Path(__file__).parents[2] / "docs" / "taxonomies.md"
LEAST = 40
"""The least number of sentences of a family with, and without, their skill."""


def labelled() -> list[tuple[str, str, bool, bool, str]]:
    """Return (family, rule, whether the skill is there, whether the sentence was used for tuning, sentence)."""
    rows = []
    family = rule = ""
    seen: Counter[tuple[str, str]] = Counter()
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            family = line[3:]
        elif line.startswith("["):
            rule = line[1:-1]
        elif line.startswith(("+ ", "- ")):
            rows.append((family, rule, line[0] == "+", seen[rule, line[0]] % 2 == 0, line[2:]))
            seen[rule, line[0]] += 1
    return rows


def counts(family: str, tuned: bool | None = None) -> Counter[tuple[bool, bool]]:
    """Return how many sentences of a family there are by (skill is there, rule finds it)."""
    return Counter(
        (there, check(rule, sentence) is not None)
        for own, rule, there, used, sentence in labelled()
        if own == family and tuned in (None, used)
    )


def table_row(family: str) -> str:
    """Return the row of the table in `docs/taxonomies.md`."""
    both, unseen = counts(family), counts(family, tuned=False)
    with_skill, without = both[True, True] + both[True, False], both[False, True] + both[False, False]
    rates = [
        f"{n[True, True] / (n[True, True] + n[other]):.2f}"
        for n in (both, unseen)
        for other in ((False, True), (True, False))
    ]
    return f"| {family} | {with_skill} | {without} | {' | '.join(rates)} |"


def test_the_document_has_the_measured_precision_and_recall() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    families = list(dict.fromkeys(row[0] for row in labelled()))
    assert [row for row in map(table_row, families) if row not in document] == []


def test_every_rule_and_family_has_enough_sentences() -> None:
    assert {row[1] for row in labelled()} == set(CHECKERS)
    sizes = Counter((family, there) for family, _, there, _, _ in labelled())
    assert {size: number for size, number in sizes.items() if number < LEAST} == {}


def test_rules_seldom_err_on_sentences_that_they_were_not_tuned_on() -> None:
    errors = [
        (rule, sentence)
        for _, rule, there, used, sentence in labelled()
        if not used and (check(rule, sentence) is not None) != there
    ]
    assert errors == [("four-digit year", "Around 1900 trams were new.")]
