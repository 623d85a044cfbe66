"""How long texts may be: word ranges for answers, sentence limits for Skill-Mix texts."""

WORD_RANGES = {"short": (10, 80), "medium": (80, 200), "long": (200, 400)}
"""The least and the most words of an answer of each length. Instruct-SkillMix answers (arXiv 2408.14774) have 307 words
on average."""

SENTENCES_PER_SKILL = {"medium": 2, "long": 4}
"""The number of sentences per skill that a Skill-Mix text of each longer length may have."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentence_limit(k: int, length: str | None = None) -> int:
    """Return the most sentences that a Skill-Mix text with k skills may have.

    The limit is max(1, k-1), as in Skill-Mix (arXiv 2310.17567), for short texts and texts without a length, and
    `SENTENCES_PER_SKILL` times k for longer ones.
    """
    return SENTENCES_PER_SKILL[length] * k if length in SENTENCES_PER_SKILL else max(1, k - 1)


def sentences_in_words(count: int) -> str:
    """Return a number of sentences in words, such as "one sentence" or "two sentences"; digits above ten."""
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    return f"{number} sentence" if count == 1 else f"{number} sentences"
