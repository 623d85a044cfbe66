"""Statistics of the pairs of one source."""

from skillmill.data.export.pair_counts import PairCounts, count_pairs
from skillmill.data.records import PairRow


def pair(source: str, chosen: int, rejected: int, margin: float | None = None, reason: str | None = None) -> PairRow:
    return {
        "id": "i",
        "prompt": [],
        "chosen": [],
        "rejected": [],
        "chosen_source": "accepted",
        "rejected_source": source,
        "margin": margin,
        "row": "r",
        "chosen_words": chosen,
        "rejected_words": rejected,
        "reason": reason,
    }


def test_lengths_are_counted_per_source_over_the_kept_pairs() -> None:
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
    statistics = dict(counts["draft"].as_dict())
    assert (statistics.pop("pairs"), statistics.pop("dropped")) == (0, {"no_draft": 1})
    assert set(statistics.values()) == {None}
