"""A prefix cache as inference engines have it, to count what it would serve of given requests."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Tokens = list[int]


@dataclass(frozen=True)
class Event:
    """A request when it comes, or, with its `answer`, when that has been given. `turn`: what the request is for."""

    turn: str
    prompt: Tokens
    answer: Tokens | None = None


class PrefixCache:
    """Keys and values in blocks of tokens, as vLLM keeps them: a block is found by itself and all before it.

    `capacity`: tokens, the blocks used longest ago leave first, of one sequence the last before the first. What is in
    flight is not held back, as an engine holds it.
    """

    def __init__(self, block: int, capacity: int | None = None) -> None:
        self.block, self.most = block, capacity // block if capacity else None
        self._kept: OrderedDict[int, None] = OrderedDict()

    def read(self, prompt: Tokens) -> int:
        """The tokens of a prompt that are there already. At least its last one is always computed."""
        keys = self._keys(prompt)
        found = next((i for i, key in enumerate(keys) if key not in self._kept), len(keys))
        self.write(prompt)
        return min(found, (len(prompt) - 1) // self.block) * self.block

    def write(self, sequence: Tokens) -> None:
        for key in reversed(self._keys(sequence)):
            self._kept[key] = None
            self._kept.move_to_end(key)
        while self.most and len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def _keys(self, sequence: Tokens) -> list[int]:
        keys, last = [], 0
        for end in range(self.block, len(sequence) + 1, self.block):
            last = hash((last, *sequence[end - self.block : end]))
            keys.append(last)
        return keys


def cached(
    events: Iterable[Event], cache: PrefixCache, kept: Callable[[Event], bool] = lambda answered: True
) -> Counter[str]:
    """The tokens of each turn that the cache served. `kept`: whether it has an answer, read again as a later prompt."""
    served = Counter[str]()
    for event in events:
        if event.answer is None:
            served[event.turn] += cache.read(event.prompt)
        elif kept(event):
            cache.write(event.prompt + event.answer)
    return served
