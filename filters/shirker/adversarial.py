"""Adversarial answers: answers without effort that try to pass as real ones, for the training of the shirker model.

The texts and the order of random draws belong to the calibration: a change of either changes the trained model.
"""

import random
import re
from collections.abc import Callable, Sequence

from skillmill.data.text.sentences import END_MARKS

STOCK = (
    "Yes.",
    "I don't know.",
    "It depends.",
    "That is a great question!",
    "Sure, I can help with that.",
    "N/A",
    "OK",
    "There is no single answer to this question. It depends on many different things, and everyone is different.",
    "This is a very interesting topic. There are many things to say about it. Some people think one thing and others "
    "think another. In the end, it is up to you to decide what is best. I hope this helps!",
    "Thank you for your question. This is an important matter that deserves careful thought. There are several "
    "aspects to consider, and each of them has its own advantages and disadvantages. Firstly, it is important to look "
    "at the big picture. Secondly, it is essential to pay attention to the details. Finally, one should always keep "
    "an open mind. By following these simple principles, you will be able to reach your goals and achieve success.",
    "Here are some tips:\n\n1. **Do your research**: Learn as much as you can.\n2. **Make a plan**: Set clear goals.\n"
    "3. **Stay organized**: Keep track of your progress.\n4. **Ask for help**: Talk to experts.\n5. **Be patient**: "
    "Good things take time.\n\nBy following these tips, you will be well on your way to success!",
)
FILLER = (
    "Some see it one way, and others see it another way.",
    "In conclusion, it is a subject that will stay with us for a long time.",
    "This is of great importance for individuals and for society as a whole.",
    "Nobody knows what the future will bring, but one can be prepared.",
    "It pays to look at the matter from more than one side.",
    "There are good reasons for it, and there are good reasons against it.",
    "Everything has its advantages and its drawbacks.",
    "A lot has been written about this, and more will be written.",
    "The possibilities are endless if you put your mind to it.",
    "What is right for one person may not be right for the next.",
    "With the right attitude, nearly every problem can be solved.",
    "Quality takes time, and good preparation is half the battle.",
    "Let us not forget that every case is special in its own way.",
    "This shows once more how diverse and exciting the subject is.",
    "It is important to note that this is a complex subject with many aspects.",
    "There are many factors to consider here.",
    "Overall, this is something that many people find useful and interesting.",
    "As we all know, things can be different for different people.",
    "In today's world, this matters more than ever.",
    "Of course, there is always more to say about this topic.",
    "It is always a good idea to think carefully before making a decision.",
    "At the end of the day, what counts is finding what works for you.",
    "This can be very helpful in many situations.",
    "Needless to say, practice makes perfect.",
)
TEMPLATES = (
    "Dear [name],\n\n[Write the main text here. Mention {0} and {1}.]\n\nBest regards,\n[your name]",
    "# [Title]\n\n## Introduction\n[Introduce {0}]\n\n## Main part\n[Explain {1}]\n\n## Conclusion\n[Sum up]",
    "Here is your answer about {0}: [insert answer here]. For {1}, see [insert details].",
    "1. [First point about {0}]\n2. [Second point about {1}]\n3. [Third point]\n",
)
LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna "
    "aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat"
).split()
ABOUT = (
    "{0} is one of the things that come to mind first.",
    "When it comes to {0}, opinions differ.",
    "{0} has a long history, and so has {1}.",
    "There is a lot to be said about {0}.",
    "Without {0} there would be no {1}.",
    "Everyone should know something about {0}.",
    "{0} can be useful, and {1} can be too.",
    "If you like {0}, you will also like {1}.",
    "To understand {0}, one has to understand {1}.",
    "The role of {0} should not be underestimated.",
    "We have now seen why {0} matters.",
    "Last but not least, there is {1}.",
)
PROVERBS = (
    "Patience is a virtue",
    "Keep things simple",
    "Plan ahead",
    "Ask questions",
    "Be yourself",
    "Stay curious",
    "Practice every day",
    "Do not give up",
    "Think before you act",
    "Share what you know",
    "Take breaks",
    "Health comes first",
    "Rome was not built in a day",
    "Actions speak louder than words",
    "Less is more",
    "Be kind to others",
    "Set priorities",
    "Celebrate success",
    "Embrace change",
    "Follow your heart",
)
WRAPPERS = (
    "{0}",
    "Sure! {0}",
    "You asked: {0}",
    "Here is the answer to your question: {0}",
    "So what you want to know is this: {0} Let me see what can be done about that.",
    'Your request, "{0}", has been received and will be dealt with.',
    "The task reads: {0}\nThis is a task that has to be solved.",
)
OFFERS = (
    "I can certainly help you with {0}. What exactly would you like to know about {1}?",
    "Sure, let's get started! I will put together everything about {0} for you. It will be great.",
    "Thanks for reaching out about {0}. I have a lot of experience with {1} and look forward to working on this.",
    "Of course! Before I answer, could you tell me a bit more about {0} and what you expect?",
)
REFUSALS = (
    "As an AI language model, I cannot help with that.",
    "I'm sorry, but I am unable to answer this question. Please consult a professional or do your own research.",
    "I do not have enough information to answer. Could you please provide more context about {0}?",
    "As an AI, I don't have personal opinions about {0} or {1}. There are many resources online where you can learn "
    "more about this topic. If you have any other questions, feel free to ask!",
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
