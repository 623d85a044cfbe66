"""The n-grams that one row shares with the index of the evaluation sets, and the verdict on them.

A shared n-gram of `report` words is a signal; a shared n-gram of `drop` words rejects the row. The defaults, 8 and 13
words, are the least and the greatest n-gram length of GPT-3 (arXiv 2005.14165), appendix C. A text of a set with fewer
than `drop` words rejects a row that contains all of it. A text with fewer than `report` words may occur in any row by
chance, so it rejects only a row whose instruction equals it.
"""

from typing import NamedTuple

from skillmill.data.records import Sample
from skillmill.data.text.ngrams import Hashes, hashed, ngram_hashes, normal_words
from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.contamination.ngram_index import SEPARATOR, NgramIndex, load_index, whole_text_hash
from skillmill.filters.contamination.shared_ngrams import COUNT, LENGTH, POSITION
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


def contamination(sample: Sample, cell: Cell, options: Contamination) -> Verdict:
    """Return the verdict on a sample's instruction and response, with the signals that `shared_ngrams` names.

    The options must have an index, see `with_index`, unless they have no sets.
    """
    if not options.sets:
        return Verdict()
    assert options.index is not None, "the index is made where the configuration is taken up, by with_index"
    instruction, response = normal_words(sample.instruction), normal_words(sample.response)
    words = hashed([*instruction, SEPARATOR, *response])
    shared, rejecting = _matches(load_index(options.index), words, len(instruction), options)
    signals = {COUNT: float(len({match.position for match in shared}))}
    for match in reversed(rejecting + shared):  # reversed, so that the first match of each set is stored last and stays
        name = options.sets[match.set_number].name
        signals |= {f"{POSITION}:{name}": float(match.position), f"{LENGTH}:{name}": float(match.length)}
    for match in shared:
        name = f"{COUNT}:{options.sets[match.set_number].name}"
        signals[name] = signals.get(name, 0.0) + 1
    return options.verdict(bool(rejecting), **signals)


class _Match(NamedTuple):
    """One n-gram of the row that a set contains: where it begins among the row's words, and how many it has."""

    set_number: int
    position: int
    length: int


def _matches(
    index: NgramIndex, words: Hashes, instruction_words: int, options: Contamination
) -> tuple[list[_Match], list[_Match]]:
    """Return the n-grams that a row shares with sets, and those that reject it, the longest first.

    `words` are the hashes of the row's words, of which the first `instruction_words` are the instruction's. Lengths
    from `drop` down to `report` are compared only if an n-gram of `report` words is shared, as each longer one starts
    with such an n-gram.
    """
    matches = index.matches(ngram_hashes(words, options.report), rejecting=False)
    shared = [_Match(number, position, options.report) for position, number in matches]
    whole_instruction = []
    if instruction_words < options.report:
        matches = index.matches(whole_text_hash(words[:instruction_words]), rejecting=False)
        whole_instruction = [_Match(number, 0, instruction_words) for _, number in matches]
    rejecting = list(whole_instruction) if options.drop else []
    if shared and options.drop:
        for length in range(options.drop, options.report - 1, -1):
            matches = index.matches(ngram_hashes(words, length), rejecting=True)
            rejecting += [_Match(number, position, length) for position, number in matches]
    return whole_instruction + shared, rejecting
