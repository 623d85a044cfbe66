"""Answers that try to get through without any effort, made from real ones: what calibration is trained on as well."""

import random
from collections.abc import Callable, Sequence

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
REFUSALS = (
    "As an AI language model, I cannot help with that.",
    "I'm sorry, but I am unable to answer this question. Please consult a professional or do your own research.",
    "I do not have enough information to answer. Could you please provide more context about {0}?",
    "As an AI, I don't have personal opinions about {0} or {1}. There are many resources online where you can learn "
    "more about this topic. If you have any other questions, feel free to ask!",
)

Maker = Callable[[random.Random, str, str, str], str]
"""`(dice, instruction, its answer, the answer to another instruction) -> gamed answer`"""


def _two_words(dice: random.Random, instruction: str) -> tuple[str, str]:
    long = [word.strip(".,:;!?\"'()") for word in instruction.split() if len(word) > 4] or ["this", "that"]
    return dice.choice(long), dice.choice(long)


def _repeated(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    sentence = answer.replace("\n", " ").split(". ")[0][:200].rstrip(".") + "."
    return " ".join([sentence] * dice.randint(3, 12))


def _padded(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    opening = " ".join(answer.split()[:12]).rstrip(".,:") + "."
    return " ".join([opening, *(dice.choice(FILLER) for _ in range(dice.randint(3, 14)))])


def _salad(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    words = answer.split()
    dice.shuffle(words)
    return " ".join(words)


def _subject_salad(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    words = instruction.split()[:60]
    return " ".join(dice.choice(words or ["well"]) for _ in range(dice.randint(10, 150)))


def _echoed(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    opening = dice.choice(["", "Sure! ", "You asked: ", "Here is the answer to your question: "])
    return opening + " ".join([instruction[:1500]] * dice.randint(1, 4))


def _filled_template(lines: Sequence[str]) -> Maker:
    def make(dice: random.Random, instruction: str, answer: str, other: str) -> str:
        return dice.choice(lines).format(*_two_words(dice, instruction))

    return make


def _prompt_form(dice: random.Random, instruction: str, answer: str, other: str) -> str:
    return f"{' '.join(answer.split()[:20])}\n\n### Instruction:\n{instruction[:300]}\n\n### Response:\n"


FAMILIES: dict[str, Maker] = {
    "constant": lambda dice, instruction, answer, other: dice.choice(STOCK),
    "filler": lambda dice, instruction, answer, other: " ".join(dice.sample(FILLER, dice.randint(2, len(FILLER)))),
    "other_answer": lambda dice, instruction, answer, other: other,
    "padded": _padded,
    "repeated_sentence": _repeated,
    "echo": _echoed,
    "template": _filled_template(TEMPLATES),
    "refusal": _filled_template(REFUSALS),
    "salad": _salad,
    "subject_salad": _subject_salad,
    "prompt_form": _prompt_form,
}


def gamed_answers(
    instructions: Sequence[str], answers: Sequence[str], seed: int = 0, share: float = 0.5
) -> list[tuple[str, str, str]]:
    """`(family, instruction, gamed answer)`: for each instruction and its good answer a random `share` of families."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    made = []
    for place, (instruction, answer) in enumerate(zip(instructions, answers, strict=True)):
        for family, make in FAMILIES.items():
            other = (place + dice.randrange(1, max(len(answers), 2))) % len(answers)
            if dice.random() < share:
                made.append((family, instruction, make(dice, instruction, answer, answers[other])))
    return made
