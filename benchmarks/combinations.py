"""Random k-tuples: ours beside the published approach (shuffle the whole list, take the first k).

    python benchmarks/combinations.py [--json OUT]

Prints one line a figure: N = 3,000 skills, 100 topics, k = 4. Ratios are of one run on one machine.
"""

import argparse
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from skillmill.skill_taxonomy.combinations import Combinations
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, Topic

SKILLS, TOPICS, K = 3000, 100, 4


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The fastest of a few runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def shuffled(count: int) -> None:
    """The published way: a cell costs a shuffle of all skills, and nothing keeps it from coming twice."""
    skills, topics = list(range(SKILLS)), list(range(TOPICS))
    dice = random.Random(0)
    for _ in range(count):
        dice.shuffle(skills)
        dice.shuffle(topics)
        skills[:K], topics[0]


def peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    taxonomy = Taxonomy(
        skills=tuple(Skill(name=f"skill {i}") for i in range(SKILLS)),
        topics=tuple(Topic(name=f"topic {i}") for i in range(TOPICS)),
    )
    plan = Combinations(taxonomy, "skill_mix", "topic", {K: 1.0}, 0)
    huge = Combinations(taxonomy, "skill_mix", "topic", {8: 1.0}, 0)
    far = plan.size - 100_001
    block = 100_000
    bulk = block / seconds(lambda: plan.bulk(0, block))
    published = 200 / seconds(lambda: shuffled(200))
    figures = {
        "bulk_cells_per_s": bulk,
        "bulk_cells_per_s_at_the_end_of_the_space": block / seconds(lambda: plan.bulk(far, far + block)),
        "published_cells_per_s": published,
        "bulk_over_published": bulk / published,
        "random_access_us": seconds(lambda: [plan[i] for i in range(0, 10**9, 10**6)]) / 1000 * 1e6,
        "random_access_us_beyond_2_64": seconds(lambda: [huge[i] for i in range(0, 10**9, 10**6)]) / 1000 * 1e6,
        "bulk_peak_mib_100k": peak_mib(lambda: plan.bulk(0, block)),
        "bulk_peak_mib_1m_in_blocks": peak_mib(
            lambda: [plan.bulk(i, i + block) and None for i in range(0, 1_000_000, block)]
        ),
    }
    for name, value in figures.items():
        print(f"{name:44} {value:14,.1f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
