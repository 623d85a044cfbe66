"""Adversarial answers: answers without effort that try to pass as real ones, for the training of the shirker model.

The texts and the order of random draws belong to the calibration: a change of either changes the trained model.
"""

import random
import re
from collections.abc import Callable, Sequence

from skillmill.data.text.sentences import END_MARKS
from skillmill.filters.shirker.adversarial_texts import (
    ABOUT,
    FILLER,
    LOREM,
    OFFERS,
    PROVERBS,
    REFUSALS,
    STOCK,
    TEMPLATES,
    WRAPPERS,
)

Family = Callable[[random.Random, str, str, str], str]
"""A family of adversarial answers: a function of the random generator, an instruction, its answer, and the answer to
another instruction."""


def _two_subject_words(rng: random.Random, instruction: str) -> tuple[str, str]:
    """Return two random words of the instruction that have more than four letters."""
    long = [word.strip(".,:;!?\"'()") for word in instruction.split() if len(word) > 4] or ["this", "that"]
    return rng.choice(long), rng.choice(long)


def _repeated(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the first sentence of the answer, several times."""
    sentence = answer.replace("\n", " ").split(". ")[0][:200].rstrip(".") + "."
    return " ".join([sentence] * rng.randint(3, 12))


def _padded(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's first twelve words and filler."""
    opening = " ".join(answer.split()[:12]).rstrip(".,:") + "."
    return " ".join([opening, *(rng.choice(FILLER) for _ in range(rng.randint(3, 14)))])


def _shuffled_words(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's words in random order."""
    words = answer.split()
    rng.shuffle(words)
    return " ".join(words)


def _shuffled_instruction(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return random words of the instruction."""
    words = instruction.split()[:60]
    return " ".join(rng.choice(words or ["well"]) for _ in range(rng.randint(10, 150)))


def _echoed(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the instruction, once or more, with a wrapper around it and filler or proverbs after it."""
    echo = rng.choice(WRAPPERS).format(" ".join([instruction[:1500]] * rng.choice([1, 1, 1, 2, 3, 4])))
    return echo + rng.choice(["", " " + _filler(rng, 2, 6), "\n\n" + _proverbs(rng)])


def _filler(rng: random.Random, fewest: int, most: int) -> str:
    """Return a random number of filler sentences."""
    return " ".join(rng.choice(FILLER) for _ in range(rng.randint(fewest, most)))


def _proverbs(rng: random.Random) -> str:
    """Return proverbs as a list in a random format."""
    sign = rng.choice(["- ", "* ", "{0}. ", "", "{0}) "])
    line = rng.choice(["{0}.", "{0}", "**{0}**", "**{0}**: {1}", "{0}: {1}"])
    chosen = rng.sample(PROVERBS, rng.randint(4, 12))
    lines = [sign.format(n) + line.format(one, rng.choice(FILLER)) for n, one in enumerate(chosen, 1)]
    return rng.choice(["\n", "\n\n"]).join(lines)


def _listed(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return an opening, a list of proverbs and filler."""
    opening = rng.choice(
        ["", "Here are a few ideas:\n\n", f"Some points on {_two_subject_words(rng, instruction)[0]}:\n\n"]
    )
    return opening + _proverbs(rng) + rng.choice(["", "\n\n" + rng.choice(FILLER)])


def _about(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return empty sentences about words of the instruction."""
    sentences = [rng.choice(ABOUT).format(*_two_subject_words(rng, instruction)) for _ in range(rng.randint(4, 20))]
    return " ".join(line[0].upper() + line[1:] for line in sentences)


def _sentences(answer: str) -> list[str]:
    """Return the sentences of an answer with their end marks.

    Half of all answers have other sentences by `skillmill.data.text.sentences`, so that one has to wait until the model
    is trained again.
    """
    return [piece for piece in re.split(rf"(?<=[{END_MARKS}])\s+|\n+", answer.strip()) if piece]


def _beginning(rng: random.Random, answer: str) -> list[str]:
    """Return the first sentences of the answer: 10 to 40 % of them, at least one."""
    sentences = _sentences(answer)
    return sentences[: max(1, int(len(sentences) * rng.uniform(0.1, 0.4)))]


def _interleaved_filler(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's first sentences with a filler sentence after each."""
    return " ".join(piece for one in _beginning(rng, answer) for piece in (one, rng.choice(FILLER)))


def _padded_long(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's first sentences and filler after them."""
    return " ".join([*_beginning(rng, answer), _filler(rng, 4, 14)])


def _twice(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer or its beginning, two to four times."""
    part = rng.choice([answer, answer, " ".join(_beginning(rng, answer))])
    return rng.choice(["\n\n", "\n", " "]).join([part] * rng.randint(2, 4))


def _cut(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer cut off after 5 to 40 % of its words."""
    pieces = answer.split(" ")
    return " ".join(pieces[: max(1, int(len(pieces) * rng.uniform(0.05, 0.4)))])


def _out_of_order(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's sentences in random order."""
    sentences = _sentences(answer)
    return " ".join(rng.sample(sentences, len(sentences)))


def _cut_in_word(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer cut off after 2 to 50 % of its characters, at least two."""
    return answer[: max(2, int(len(answer) * rng.uniform(0.02, 0.5)))]


def _token_salad(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return pieces of words of both answers, with marks between some of them."""
    text, marks = f"{answer} {other}", rng.choice([[" "], [" ", "", " ## "], [" ", " ", "", "<", " } ", "|", "@@ "]])
    pieces = []
    for _ in range(rng.randint(8, 150)):
        start = rng.randrange(max(len(text) - 7, 1))
        pieces += [text[start : start + rng.randint(1, 7)].strip(), rng.choice(marks)]
    return "".join(pieces).strip() or "x"


def _word_salad(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return random words of both answers and of the instruction, in lower case and with few marks."""
    words = [word.strip('.,:;!?*#"()').lower() for word in f"{answer} {other} {instruction}".split()]
    return " ".join(rng.choice(words) for _ in range(rng.randint(6, 200))).strip() or "x"


def _lorem(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return lorem ipsum, in some cases after the answer's first words."""
    words = [rng.choice(LOREM) for _ in range(rng.randint(20, 250))]
    lines = [" ".join(words[i : i + 9]).capitalize() + "." for i in range(0, len(words), 9)]
    return " ".join([*answer.split()[: rng.choice([0, 0, 10, 25])], *lines])


def _other_introduced(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer to another instruction, introduced by words of this one."""
    return (
        rng.choice(["{0}: ", "As for {0}: ", "## {0}\n\n", "This is about {0} and {1}. "]).format(
            *_two_subject_words(rng, instruction)
        )
        + other
    )


def _filled_template(lines: Sequence[str]) -> Family:
    """Return a family that fills a random template with words of the instruction."""

    def make(rng: random.Random, instruction: str, answer: str, other: str) -> str:
        return rng.choice(lines).format(*_two_subject_words(rng, instruction))

    return make


def _prompt_form(rng: random.Random, instruction: str, answer: str, other: str) -> str:
    """Return the answer's first words and the labels of a prompt template with the instruction."""
    return f"{' '.join(answer.split()[:20])}\n\n### Instruction:\n{instruction[:300]}\n\n### Response:\n"


FAMILIES: dict[str, Family] = {
    "constant": lambda rng, instruction, answer, other: rng.choice(STOCK),
    "filler": lambda rng, instruction, answer, other: _filler(rng, 2, 20),
    "proverbs": _listed,
    "about": _about,
    "offer": _filled_template(OFFERS),
    "other_answer": lambda rng, instruction, answer, other: other,
    "other_introduced": _other_introduced,
    "padded": _padded,
    "padded_long": _padded_long,
    "fluffed": _interleaved_filler,
    "repeated_sentence": _repeated,
    "twice": _twice,
    "cut": _cut,
    "out_of_order": _out_of_order,
    "echo": _echoed,
    "template": _filled_template(TEMPLATES),
    "refusal": _filled_template(REFUSALS),
    "salad": _shuffled_words,
    "subject_salad": _shuffled_instruction,
    "cut_in_word": _cut_in_word,
    "token_salad": _token_salad,
    "word_salad": _word_salad,
    "lorem": _lorem,
    "prompt_form": _prompt_form,
}
"""The families by name. The names are in the groups of labelled rows, and so in the card of a calibrated model."""


def adversarial_answers(
    instructions: Sequence[str], answers: Sequence[str], seed: int = 0, share: float = 0.25
) -> list[tuple[str, str, str]]:
    """Return adversarial answers as tuples of family, instruction and text.

    For each instruction and its good answer, each family is used with the probability `share`. The result depends only
    on the arguments.
    """
    rng = random.Random(seed)  # noqa: S311 - not for cryptography
    result = []
    for place, (instruction, answer) in enumerate(zip(instructions, answers, strict=True)):
        for name, family in FAMILIES.items():
            other = (place + rng.randrange(1, max(len(answers), 2))) % len(answers)
            if rng.random() < share:
                text = family(rng, instruction, answer, answers[other])
                if text.split() != answer.split():  # the sentences of a one-sentence answer have no other order
                    result.append((name, instruction, text))
    return result
