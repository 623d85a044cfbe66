"""A simulated prefix cache of an inference engine, which counts the prompt tokens it would serve."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Tokens = list[int]


@dataclass(frozen=True)
class Event:
    """The arrival of a request or, with an `answer`, its completion.

    `turn`: the purpose of the request, e.g. "critique". `prompt` and `answer` are token ids.
    """

    turn: str
    prompt: Tokens
    answer: Tokens | None = None


class PrefixCache:
    """A cache of keys and values in blocks of `block` tokens, like that of vLLM.

    A block is identified by its own tokens and all tokens before it. With a `capacity`, in tokens, the least recently
    used blocks are evicted first, and of one sequence the last block before the first. Unlike in an engine, the blocks
    of requests in flight can be evicted.
    """

    def __init__(self, block: int, capacity: int | None = None) -> None:
        self.block, self._max_blocks = block, capacity // block if capacity else None
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def read(self, prompt: Tokens) -> int:
        """Return the number of tokens of a prompt that are in the cache, then add the prompt to the cache.

        The last token of a prompt is always computed, so the block that contains it does not count.
        """
        keys = self._keys(prompt)
        hits = next((i for i, key in enumerate(keys) if key not in self._blocks), len(keys))
        self.write(prompt)
        return min(hits, (len(prompt) - 1) // self.block) * self.block

    def write(self, sequence: Tokens) -> None:
        """Add all whole blocks of a sequence, and evict blocks beyond the capacity."""
        for key in reversed(self._keys(sequence)):
            self._blocks[key] = None
            self._blocks.move_to_end(key)
        while self._max_blocks and len(self._blocks) > self._max_blocks:
            self._blocks.popitem(last=False)

    def _keys(self, sequence: Tokens) -> list[int]:
        keys, previous = [], 0
        for end in range(self.block, len(sequence) + 1, self.block):
            previous = hash((previous, *sequence[end - self.block : end]))
            keys.append(previous)
        return keys


def cached(
    events: Iterable[Event], cache: PrefixCache, is_reusable: Callable[[Event], bool] = lambda completion: True
) -> Counter[str]:
    """Return the number of prompt tokens that the cache serves, by turn.

    `is_reusable` decides for a completed request whether its answer is added to the cache.
    """
    served = Counter[str]()
    for event in events:
        if event.answer is None:
            served[event.turn] += cache.read(event.prompt)
        elif is_reusable(event):
            cache.write(event.prompt + event.answer)
    return served
