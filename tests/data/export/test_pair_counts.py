"""What is told of the pairs of a source."""

from typing import Any

from skillmill.data.export.pair_counts import PairCounts, count_pairs


def pair(
    source: str, chosen: int, rejected: int, margin: float | None = None, reason: str | None = None
) -> dict[str, Any]:
    words = {"chosen_words": chosen, "rejected_words": rejected}
    return {"row": "r", "rejected_source": source, "margin": margin, "reason": reason, **words}


def test_lengths_are_told_per_source_of_the_pairs_that_were_kept() -> None:
    counts: dict[str, PairCounts] = {}
    count_pairs([pair("brevity", 200, 50, 0.5), pair("junk", 100, 150)], counts)
    count_pairs(
        [pair("brevity", 100, 100), pair("brevity", 90, 30, 0.25), pair("brevity", 9, 0, reason="empty")], counts
    )
    assert counts["brevity"].as_dict() == {
        "pairs": 3,
        "dropped": {"empty": 1},
        "chosen_words": 100.0,
        "rejected_words": 50.0,
        "ratio": 3.0,
        "chosen_longer": 2 / 3,
        "margin": 0.375,
    }
    assert counts["junk"].as_dict()["chosen_longer"] == 0.0


def test_a_source_without_a_pair_has_no_lengths() -> None:
    counts: dict[str, PairCounts] = {}
    count_pairs([pair("draft", 9, 0, reason="no_draft")], counts)
    told = counts["draft"].as_dict()
    assert (told["pairs"], told["dropped"]) == (0, {"no_draft": 1})
    assert {told[key] for key in ("chosen_words", "rejected_words", "ratio", "chosen_longer", "margin")} == {None}
