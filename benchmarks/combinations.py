"""Speed of drawing random k-tuples, compared with the published method: shuffle the whole list, take the first k.

    python benchmarks/combinations.py [--json OUT]

Prints one line per figure, for 3,000 skills in 100 categories, 100 topics and k = 4. Both sides of a ratio are measured
in one run on one machine. `cells` are complete cells (names, order in the prompt, seed), `bulk` cells are rows of
indices.
"""

import argparse
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, Topic

SKILLS, CATEGORIES, TOPICS, K = 3000, 100, 100, 4
BLOCK = 100_000


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Return the time of the fastest of several runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def shuffled(count: int) -> None:
    """Draw cells by the method of Skill-Mix's released code (arXiv 2310.17567).

    Each cell costs a shuffle of all skills, and cells can repeat.
    """
    skills, topics = list(range(SKILLS)), list(range(TOPICS))
    dice = random.Random(0)
    for _ in range(count):
        dice.shuffle(skills)
        dice.shuffle(topics)
        skills[:K], topics[0]


def peak_mib(work: Callable[[], object]) -> float:
    """Return the peak of Python's allocated memory, in MiB."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def access_us(plan: Combinations) -> float:
    """Return the microseconds for one complete cell at positions that are far apart."""
    return seconds(lambda: [plan[i] for i in range(0, 10**9, 10**6)]) / 1000 * 1e6


def bulk_rate(plan: Combinations, start: int = 0) -> float:
    """Return the positions per second, including those without a cell."""
    return BLOCK / seconds(lambda: plan.bulk(start, start + BLOCK))


def cell_rate(plan: Combinations, count: int = 2000) -> float:
    """Return the complete cells per second in order, skipping positions without a cell."""
    return count / seconds(lambda: list(islice(plan.cells(), count)))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    taxonomy = Taxonomy(
        skills=tuple(Skill(name=f"skill {i}", category=f"category {i % CATEGORIES}") for i in range(SKILLS)),
        topics=tuple(Topic(name=f"topic {i}") for i in range(TOPICS)),
    )

    def plan_of(k: int, **conditions: object) -> Combinations:
        return Combinations(taxonomy, "skill_mix", "topic", {k: 1.0}, 0, **conditions)  # type: ignore[arg-type]

    plan, huge = plan_of(K), plan_of(8)
    same, different = plan_of(K, categories="same"), plan_of(K, categories="different")
    mild = plan_of(K, weights={f"skill {i}": 2.0 for i in range(0, SKILLS, 2)})
    strong = plan_of(K, weights={f"skill {i}": 8.0 for i in range(0, SKILLS, 10)})
    bulk, published = bulk_rate(plan), 200 / seconds(lambda: shuffled(200))
    figures = {
        "bulk_cells_per_s": bulk,
        "bulk_cells_per_s_at_the_end_of_the_space": bulk_rate(plan, plan.size - BLOCK - 1),
        "bulk_cells_per_s_same_category": bulk_rate(same),
        "bulk_cells_per_s_different_categories": bulk_rate(different),
        "bulk_positions_per_s_weighted": bulk_rate(mild),
        "published_cells_per_s": published,
        "bulk_over_published": bulk / published,
        "random_access_us": access_us(plan),
        "random_access_us_beyond_2_64": access_us(huge),
        "random_access_us_different_categories": access_us(different),
        "cells_per_s": cell_rate(plan),
        "cells_per_s_weights_1_and_2": cell_rate(mild),
        "positions_per_cell_weights_1_and_2": mild.size / mild.survivors,
        "cells_per_s_a_tenth_weighs_8": cell_rate(strong),
        "positions_per_cell_a_tenth_weighs_8": strong.size / strong.survivors,
        "setup_ms": seconds(lambda: plan_of(K)) * 1000,
        "bulk_peak_mib_100k": peak_mib(lambda: plan.bulk(0, BLOCK)),
        "bulk_peak_mib_1m_in_blocks": peak_mib(
            lambda: [plan.bulk(i, i + BLOCK) and None for i in range(0, 1_000_000, BLOCK)]
        ),
    }
    for name, value in figures.items():
        print(f"{name:44} {value:14,.1f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
