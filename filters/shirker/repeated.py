"""Answers that are given to many different instructions of one file."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from skillmill.filters.dedup.band_index import BandIndex
from skillmill.filters.dedup.minhash import Bands, Signatures, signatures, similarity, text_hash

THRESHOLD, PERMUTATIONS, SHINGLE_WORDS, MIN_WORDS = 0.7, 32, 3, 8
"""The settings of the near-duplicate filter, with fewer permutations because only the beginnings of responses are
compared."""

READ_CHARACTERS = 200
"""Answers are compared by their beginning, so that the time does not depend on their length."""


class RepeatedAnswers:
    """Counts answers that earlier rows with another instruction have too. It takes about 1 KiB a row.

    Equal beginnings are counted at any length. Similar ones are compared with the first answer of their group, and only
    from `MIN_WORDS` words on.
    """

    def __init__(self) -> None:
        self._index, self._bands = BandIndex(), Bands.of(THRESHOLD, PERMUTATIONS)
        self._signatures: list[Signatures] = []
        self._group_of_signature: list[int] = []
        self._group_of_text: dict[int, int] = {}
        self._instructions: defaultdict[int, set[int]] = defaultdict(set)

    def counts(self, instructions: Sequence[str], responses: Sequence[str]) -> list[int]:
        """Return for each row the number of other instructions whose answer, in an earlier row, is about the same.

        An answer without text has a count of 0.
        """
        beginnings = [text.strip()[:READ_CHARACTERS] for text in responses]
        hashes = [text_hash(text) if text else 0 for text in beginnings]
        self._add_groups({one: text for one, text in zip(hashes, beginnings, strict=True) if one})
        counts = []
        for one, instruction in zip(hashes, instructions, strict=True):
            if not one:
                counts.append(0)
                continue
            asked, this = self._instructions[self._group_of_text[one]], text_hash(instruction)
            counts.append(len(asked) - (this in asked))
            asked.add(this)
        return counts

    def _add_groups(self, texts: dict[int, str]) -> None:
        """Assign each new text, given by its hash, to the group of a similar earlier one, else to a new group."""
        new = {one: text for one, text in texts.items() if one not in self._group_of_text}
        if not new:
            return
        signed = signatures(list(new.values()), PERMUTATIONS, SHINGLE_WORDS, MIN_WORDS)
        keys = self._bands.keys(signed[:, None])
        settled = self._index.settled(keys)
        before, added, with_key = len(self._signatures), list[int](), dict[int, int]()
        for row, (one, of_row, records) in enumerate(zip(new, keys.tolist(), settled, strict=True)):
            in_batch = {with_key[key] for key in of_row if key in with_key}
            group = self._similar_group(signed[row], records | in_batch)
            if group is None:
                group = len(self._group_of_text)
                with_key |= dict.fromkeys(filter(None, of_row), len(self._signatures))
                self._signatures.append(signed[row])
                self._group_of_signature.append(group)
                added.append(row)
            self._group_of_text[one] = group
        if added:
            self._index.add_many(keys[added], np.arange(before, len(self._signatures)))

    def _similar_group(self, of_text: Signatures, records: set[int]) -> int | None:
        """Return the number of the group of the first of the records whose signature is similar, None if none is."""
        for record in sorted(records):
            if similarity(of_text, self._signatures[record][None])[0] >= THRESHOLD:
                return self._group_of_signature[record]
        return None
