"""The token benchmark: the simulated prefix cache, and the token budget of an example."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # the benchmarks import each other as scripts
bench, prefix_cache = importlib.import_module("tokens"), importlib.import_module("prefix_cache")
sys.path.remove(str(BENCHMARKS))

Event, PrefixCache, cached = prefix_cache.Event, prefix_cache.PrefixCache, prefix_cache.cached
SEQUENCES = st.lists(st.lists(st.integers(0, 1), max_size=40), max_size=20)


def test_a_prompt_is_read_up_to_its_last_token_in_whole_blocks() -> None:
    cache = PrefixCache(4)
    assert [cache.read(list(range(8))) for _ in range(2)] == [0, 4]
    assert cache.read(list(range(9))) == 8
    assert cache.read([9, *range(1, 9)]) == 0  # a block is identified by the tokens before it too


def test_an_answer_is_part_of_the_next_prompt() -> None:
    request = Event("first", [1, 2, 3, 4])
    events = [request, Event("first", request.prompt, [5, 6, 7, 8]), Event("second", [1, 2, 3, 4, 5, 6, 7, 8, 9])]
    assert cached(events, PrefixCache(4)) == {"first": 0, "second": 8}
    assert cached(events, PrefixCache(4), lambda completion: False) == {"first": 0, "second": 4}


def test_the_least_recently_used_blocks_are_evicted_last_block_first() -> None:
    cache = PrefixCache(2, capacity=8)
    cache.read([1, 1, 2, 2, 3, 3])
    cache.read([7, 7, 8, 8])  # five blocks, one above the capacity: the last block of the first prompt is evicted
    assert cache.read([1, 1, 2, 2, 3, 3, 0]) == 4
    assert cache.read([7, 7, 8, 8, 0]) == 2  # its last block was evicted by the prompt before


@given(SEQUENCES, st.integers(1, 8), st.integers(1, 64))
def test_no_cache_serves_more_than_a_larger_one(prompts: list[list[int]], block: int, capacity: int) -> None:
    bounded, unbounded = PrefixCache(block, capacity), PrefixCache(block)
    for prompt in prompts:
        known = min(bounded.read(prompt), whole := unbounded.read(prompt)) if prompt else 0
        assert known % block == 0
        assert not prompt or known <= whole < len(prompt)


class Words:
    """A tokenizer whose tokens are whole words; unlike the real one, it loads at once."""

    def prompt(self, messages: list[dict[str, str]]) -> list[int]:
        return self.text(
            "".join(f"<{message['role']}>{message['content']}<end>" for message in messages) + "<assistant>"
        )

    def text(self, text: str) -> list[int]:
        return [hash(word) for word in re.findall(r"\s?\w+|\S", text)]


@pytest.fixture(scope="module")
def author() -> Any:
    return bench.Author()


def test_instruct_skill_mix_stays_within_its_token_budget(author: Any) -> None:
    result = bench.figures(*bench.pipeline_events("instruct_skill_mix", 32, Words(), author))
    assert result["rows"] == 32
    assert {turn: row["calls"] for turn, row in result["turns"].items()} == dict.fromkeys(
        ("instruction", "response", "critique", "refine"), 1.0
    )
    published = bench.figures(bench.published_events(32, Words(), author), 32)
    assert bench.check(result, published)
    assert result["input"] < published["input"] / 4
    assert min(result["caches"].values()) > 0.5


def test_both_turns_of_skill_mix_are_distinguished(author: Any) -> None:
    result = bench.figures(*bench.pipeline_events("skill_mix", 8, Words(), author))
    assert list(result["turns"]) == ["draft", "review"]
    assert result["turns"]["review"]["cached"] > result["turns"]["draft"]["cached"]


def test_the_published_structure_sends_its_opening_five_times(author: Any) -> None:
    events = bench.published_events(16, Words(), author)
    prompts = {turn: [event.prompt for event in events if event.turn == turn] for turn in ("turn 0", "turn 4")}
    assert len({event.turn for event in events}) == 5
    assert sum(event.answer is None for event in events) == 5 * 16
    reply = len(Words().text("<assistant>"))
    assert all(last[: len(first) - reply] == first[:-reply] for first, last in zip(*prompts.values(), strict=True))
