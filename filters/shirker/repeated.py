"""Answers that are given to many different instructions of one file."""

from collections import defaultdict
from collections.abc import Sequence

from skillmill.filters.dedup.band_index import BandIndex
from skillmill.filters.dedup.minhash import Bands, Keys, Signatures, signatures, similarity, text_hash

THRESHOLD, PERMUTATIONS, SHINGLE_WORDS, MIN_WORDS = 0.7, 32, 3, 8
"""The settings of the near-duplicate filter, with fewer permutations because only the beginnings of responses are
compared."""

READ_CHARACTERS = 200
"""Answers are compared by their beginning, so that the time does not depend on their length."""


class RepeatedAnswers:
    """Counts answers that earlier rows with another instruction have too. It takes about 1 KiB a row.

    Equal answers are counted at any length. Near-duplicates are compared by their beginning with the first answer of
    their group, and only from `MIN_WORDS` words on.
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
        hashes = [text_hash(text) if text.strip() else 0 for text in responses]
        self._add_groups({one: text for one, text in zip(hashes, responses, strict=True) if one})
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
        new = {one: text[:READ_CHARACTERS] for one, text in texts.items() if one not in self._group_of_text}
        if not new:
            return
        signed = signatures(list(new.values()), PERMUTATIONS, SHINGLE_WORDS, MIN_WORDS)
        keys = self._bands.keys(signed[:, None])
        settled = self._index.settled(keys)
        for one, of_text, of_row, records in zip(new, signed, keys, settled, strict=True):
            self._group_of_text[one] = self._group(of_text, of_row, records)
        self._index.settle()

    def _group(self, of_text: Signatures, keys: Keys, records: set[int]) -> int:
        """Return the number of the group of a text by its signature; `records` are signatures that may be similar."""
        for record in sorted(records | self._index.recent(keys.tolist())):
            if similarity(of_text, self._signatures[record][None])[0] >= THRESHOLD:
                return self._group_of_signature[record]
        group = len(self._group_of_text)
        self._index.add(keys, len(self._signatures))
        self._signatures.append(of_text)
        self._group_of_signature.append(group)
        return group
