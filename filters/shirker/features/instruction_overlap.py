"""Features that compare the words of answers with those of their instructions: echo, subject and meaning.

All functions take many answers at once. See `word_arrays` for the meaning of "row", "word" and "token" in the names of
arrays.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count, repeat

import numpy as np

from skillmill.data.text.tokens import Numbers, Tokens
from skillmill.filters.shirker.features.instruction import InstructionFeatures
from skillmill.filters.shirker.features.rarity import prefix
from skillmill.filters.shirker.features.word_arrays import Columns, SubjectWords, number_keys
from skillmill.filters.shirker.features.word_vectors import (
    KnownWords,
    half_similarities,
    nearest_similarities,
    word_vectors,
)

MULTIPLIER = 0x5851F42D4C957F2D
"""A large odd number. Multiplication by it and addition, modulo 2^64, hash a few small numbers to one."""
LOW_BITS = 0xFFFF


def echo_features(instructions: Sequence[InstructionFeatures], tokens: Tokens, row: Numbers) -> Columns:
    """Return the overlap of 4-grams of instruction and answer.

    "instruction_echoed" is the share of the instruction's distinct 4-grams that the answer has, "echoed_4grams" the
    share of the answer's distinct 4-grams that the instruction has. `row`, intp (tokens,), is the answer of each token.
    """
    rows, numbers = len(instructions), dict(zip(tokens.words, count()))
    sizes = [len(instruction.tokens) for instruction in instructions]
    unknown = repeat(len(numbers))
    instruction_words = np.array(
        [number for instruction in instructions for number in map(numbers.get, instruction.tokens, unknown)], np.intp
    )
    answer_keys, answer_row = _four_gram_keys(tokens.numbers, row)
    instruction_keys, _ = _four_gram_keys(instruction_words, np.repeat(np.arange(rows), sizes))

    # A table of the keys' low 16 bits excludes nine of ten answer keys before the look-up in a Python set.
    likely = np.zeros(LOW_BITS + 1, np.bool_)
    likely[instruction_keys & LOW_BITS] = True
    known, echoed = set(instruction_keys.tolist()), defaultdict[int, set[int]](set)
    at = np.flatnonzero(likely[answer_keys & LOW_BITS])
    for key, answer in zip(answer_keys[at].tolist(), answer_row[at].tolist(), strict=True):
        if key in known:
            echoed[answer].add(key)
    shares = np.zeros((2, rows))
    for answer, keys in echoed.items():
        begin, end = np.searchsorted(answer_row, answer), np.searchsorted(answer_row, answer, "right")
        distinct = np.unique(answer_keys[begin:end])
        shares[:, answer] = len(keys) / len(instructions[answer].four_grams), len(keys) / len(distinct)
    return dict(zip(("instruction_echoed", "echoed_4grams"), shares, strict=True))


def _four_gram_keys(numbers: Numbers, row: Numbers) -> tuple[Numbers, Numbers]:
    """Return a hash of each 4-gram together with its row, intp (4-grams,), and its row, intp (4-grams,).

    `numbers` and `row`, intp (tokens,), are the word and the row of each token; no 4-gram extends over two rows. Two
    keys are equal if the 4-grams and the rows are equal, otherwise with a probability of 2^-64.
    """
    keys = numbers[:-3]
    for following in (numbers[1:-2], numbers[2:-1], numbers[3:], row[:-3]):
        keys = keys * MULTIPLIER + following
    keys ^= keys >> 32
    inside = np.flatnonzero(row[:-3] == row[3:])
    return keys[inside], row[inside]


def subject_features(
    instructions: Sequence[InstructionFeatures], tokens: Tokens, subject: SubjectWords, n: Numbers
) -> tuple[Columns, Columns]:
    """Return counts and shares of the instruction's subject in the answer, by the prefixes of both sides' words.

    `n`, intp (answers,), is the number of tokens of each answer, at least 1.
    """
    rows, prefixes = len(instructions), dict[str, int]()
    prefix_of_word = np.array([prefixes.setdefault(one, len(prefixes)) for one in map(prefix, tokens.words)], np.intp)
    # A key is a prefix in a row: row * number of prefixes + prefix.
    wanted_rarity = {
        row * len(prefixes) + prefixes[one]: rarity
        for row, instruction in enumerate(instructions)
        for one, rarity in instruction.subject.items()
        if one in prefixes
    }
    of_subject, distinct, wanted = number_keys(
        subject.row * len(prefixes) + prefix_of_word[subject.word], list(wanted_rarity)
    )
    # From here on an entry is a distinct prefix of an answer; `rarity` is 0 where the instruction does not have it.
    rarity = np.zeros(distinct + len(wanted_rarity))
    rarity[wanted] = list(wanted_rarity.values())
    rarity, row = rarity[:distinct], np.empty(distinct, np.intp)
    row[of_subject] = subject.row
    all_prefixes = np.bincount(row, minlength=rows)
    shared, shared_rarity = np.bincount(row, rarity > 0, rows), np.bincount(row, rarity, rows)
    rarest = np.zeros(rows)
    np.maximum.at(rarest, row, rarity)
    totals = np.array(
        [(len(instruction.subject), sum(instruction.subject.values())) for instruction in instructions], np.float64
    ).T
    coverage, rarity_coverage = (
        np.divide(part, whole, out=np.full(rows, 0.5), where=whole > 0)
        for part, whole in zip((shared, shared_rarity), totals, strict=True)
    )
    in_both = np.bincount(subject.row, subject.in_first & subject.in_second, rows)
    on_subject = np.bincount(subject.row, subject.times * (rarity > 0)[of_subject], rows)
    counts = {
        "subject_words": np.bincount(subject.row, minlength=rows),
        "new_words": all_prefixes - shared,
        "covered": shared,
        "shared_rarity": shared_rarity,
    }
    shares = {
        "coverage": coverage,
        "from_instruction": shared / np.maximum(all_prefixes, 1),
        "subject_density": on_subject / n,
        "rarity_coverage": rarity_coverage,
        "rarest_shared": rarest,
        "halves_shared": in_both / np.maximum(np.bincount(subject.row, subject.in_second, rows), 1),
    }
    return counts, shares


def meaning_features(instructions: Sequence[InstructionFeatures], tokens: Tokens, subject: SubjectWords) -> Columns:
    """Return the similarity of the answer's words to the instruction's subject by word vectors.

    "subject_met" and "words_on_subject" compare words one by one (`nearest_similarities`), the others compare sums of
    vectors (`half_similarities`).
    """
    vectors, rows = word_vectors(), len(instructions)
    places = vectors.rows(tokens.words)[subject.word]  # (entries of `subject`,): the row in the table of vectors
    known = np.flatnonzero(vectors.weights[places])
    places, row = places[known], subject.row[known]
    weights = vectors.weights[places]
    halves = np.array([subject.in_first[known], subject.in_second[known]]) * weights  # (2, known entries)
    ends = np.cumsum(np.bincount(row, minlength=rows)).tolist()
    sums, nearest = np.zeros((rows, 3, vectors.directions.shape[1]), np.float32), np.zeros((rows, 2))
    for answer, (instruction, start, end) in enumerate(zip(instructions, [0, *ends], ends, strict=False)):
        directions = vectors.directions.take(places[start:end], axis=0)
        sums[answer, 0] = instruction.subject_vectors.sum
        np.matmul(halves[:, start:end], directions, out=sums[answer, 1:])
        nearest[answer] = nearest_similarities(instruction.subject_vectors, KnownWords(directions, weights[start:end]))
    names = ("subject_met", "words_on_subject", "meaning", "meaning_first_half", "meaning_second_half", "halves_alike")
    return dict(zip(names, (*nearest.T, *half_similarities(sums)), strict=True))
