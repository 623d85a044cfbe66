"""Small pass rates by repeated sampling, and the success that a corpus cannot explain."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from skillmill.train.evaluation.config import CorpusConfig
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap, estimate
from skillmill.train.evaluation.student_metrics import ByKAndSplit, Estimate, with_count
from skillmill.train.evaluation.trained_on import TrainedOn

UNTIL_METRIC = "pass_until"


def pass_until(draws: Sequence[tuple[int, int]], resamples: int) -> Estimate | None:
    """Return the mean over cells of passes/tries (PassUntil, arXiv 2310.03262); None without tries.

    `draws` has (tries, passes) of each cell. A cell that was drawn until r passes has r/K for K tries; one that reached
    the last try has what it passed by then.
    """
    rates = np.array([passes / tries for tries, passes in draws if tries])
    if not len(rates):
        return None
    return with_count(estimate(rates, Bootstrap(resamples)), len(rates))


class Bound(TypedDict):
    """How much of Full Marks a corpus may explain.

    `bound`: the largest expected share of cells whose skills and topic meet in a piece of the corpus. `novel_share`:
    the least share of the texts with full marks whose cell is in no piece; None if no text has full marks.
    """

    bound: float
    full_marks: float
    novel_share: float | None


def beyond_parrots(metrics: ByKAndSplit, corpus: CorpusConfig) -> dict[str, dict[str, Bound]]:
    """Return {k: {split: bound}} for the bound L * p_s^k * p_t of Skill-Mix (arXiv 2310.17567), at most 1."""
    found: dict[str, dict[str, Bound]] = {}
    for k, splits in metrics.items():
        bound = min(1.0, corpus.pieces * corpus.skill_rate ** int(k) * corpus.topic_rate)
        for split, of_split in splits.items():
            marks = of_split["full_marks"]["value"]
            novel = max(0.0, 1 - bound / marks) if marks else None
            found.setdefault(k, {})[split] = Bound(bound=bound, full_marks=marks, novel_share=novel)
    return found


def corpus_of_training(seen: TrainedOn, skills: int, topics: int) -> CorpusConfig | None:
    """Return the training rows as a corpus: sentences of answers, and the mean share of rows a skill or topic.

    None if no row names skills and a topic.
    """
    if not seen.rows or not seen.skills or not seen.topics:
        return None
    return CorpusConfig(
        pieces=max(seen.pieces, 1),
        skill_rate=min(1.0, sum(seen.skills.values()) / seen.rows / max(skills, 1)),
        topic_rate=min(1.0, sum(seen.topics.values()) / seen.rows / max(topics, 1)),
    )
