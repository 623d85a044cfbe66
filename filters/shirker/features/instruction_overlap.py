"""Features that compare the words of answers with those of their instructions: echo, subject and meaning.

All functions take many answers at once. See `word_arrays` for the meaning of "row", "word" and "token" in the names of
arrays.
"""

from collections.abc import Iterator, Sequence
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


def echo_features(instructions: Sequence[InstructionFeatures], tokens: Tokens) -> Columns:
    """Return the overlap of 4-grams of instruction and answer.

    "instruction_echoed" is the share of the instruction's distinct 4-grams that the answer has, "echoed_4grams" the
    share of the answer's distinct 4-grams that the instruction has.
    """
    numbers, unknown = dict(zip(tokens.words, count())), repeat(-1)
    shares = np.zeros((2, len(instructions)))
    for row, instruction in enumerate(instructions):
        known = set(_four_grams(list(map(numbers.get, instruction.tokens, unknown))))
        answer = tokens.of(row).tolist()
        if not known.isdisjoint(_four_grams(answer)):
            distinct = set(_four_grams(answer))
            shared = len(known & distinct)
            shares[:, row] = shared / len(instruction.four_grams), shared / len(distinct)
    return dict(zip(("instruction_echoed", "echoed_4grams"), shares, strict=True))


def _four_grams(words: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return zip(words, words[1:], words[2:], words[3:], strict=False)


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


def meaning_features(instructions: Sequence[InstructionFeatures], places: Numbers, subject: SubjectWords) -> Columns:
    """Return the similarity of the answer's words to the instruction's subject by word vectors.

    "subject_met" and "words_on_subject" compare words one by one (`nearest_similarities`), the others compare sums of
    vectors (`half_similarities`). `places`, intp (words,), is the row of each word in the table of vectors.
    """
    vectors, rows = word_vectors(), len(instructions)
    places = places[subject.word]  # (entries of `subject`,)
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
