"""Each filter by example: what it rejects and what it must let through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.apply import FILTERS, REASONS, SIGNALS, apply_filters, undecided
from skillmill.filters.config import FiltersConfig, Repetition, SkillNamed, TooShort
from skillmill.filters.rows import form
from skillmill.filters.rows.leak import skill_named
from skillmill.filters.rows.substance import repetition
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic

HERRING = Skill(name="red herring", definition="bringing up something irrelevant")
FALLACY = Skill(name="accident (fallacy)", definition="a misused rule", aliases=("sweeping generalization",))
METAPHOR = Skill(name="metaphor")

ASKED = Cell("instruct_skill_mix", 0, (HERRING, METAPHOR), None, QueryType(name="Advice", min_words=20), 1)
TOLD = Cell("skill_mix", 0, (HERRING, METAPHOR), Topic(name="chess"), None, 1)
TOLD_FALLACY = Cell("skill_mix", 0, (FALLACY, METAPHOR, HERRING), Topic(name="chess"), None, 1)

QUESTION = "How can I tell my flatmates that my milk keeps disappearing?"
ANSWER = (
    "Pick a quiet evening and say what you saw, not what you think of them: the carton was empty on Tuesday. "
    "Then offer a way out, such as a shelf for each of you and a shared jar for coffee."
)
TEXT = "Her knight was a thief in the night, and by the way, is it not warm today?"


def reasons(response: str, cell: Cell = ASKED, instruction: str = QUESTION, finish: str = "stop") -> set[str]:
    sample = Sample(instruction, response, finish_reason=finish)
    return {str(reason) for reason in apply_filters(sample, cell, FiltersConfig()).reasons}


def test_good_rows_pass() -> None:
    assert reasons(ANSWER) == set()
    assert reasons(TEXT, TOLD) == set()


@pytest.mark.parametrize(
    ("reason", "response"),
    [
        ("empty", " …\n"),
        ("too_short", "Talk to them."),
        ("refusal", "I'm sorry, but I can't help with that. " + ANSWER),
        ("refusal", "As an AI language model, I cannot drink milk. " + ANSWER),
        ("cut_off", ANSWER + " And after that you could"),
        ("cut_off", ANSWER + " These are the steps:"),
        ("cut_off", ANSWER + " If they object, you could ask your ."),
        ("cut_off", ANSWER + "\n```python\nprint('milk')"),
        ("repetition", "You should talk to them about the milk. " * 8),
        ("repetition", " ".join(["the milk is in the fridge and"] * 10) + "."),
        ("echo", QUESTION + " " + QUESTION.replace("milk", "milk")),
        ("echo", "Dear flatmates, my name is [insert name] and I miss my milk. " + ANSWER),
        ("critique_residue", "Here is the refined response: " + ANSWER),
        ("critique_residue", "Based on your feedback, I made it more concrete. " + ANSWER),
        ("critique_residue", "Response: " + ANSWER),
        ("critique_residue", ANSWER + "\nA reader liked this about them: It is short.\n" + ANSWER),
        ("critique_residue", "The previous answer was too vague. " + ANSWER),
        ("critique_residue", "The answer is too wordy and needs more detail. " + ANSWER),
    ],
)
def test_rejected(reason: str, response: str) -> None:
    assert reason in reasons(response)


@pytest.mark.parametrize(
    "response",
    [
        ANSWER.replace("Then", "I cannot say what they think. Then"),  # a caveat later on is no refusal
        "As an AI, I cannot taste milk, but I can tell you what works. " + ANSWER,
        ANSWER + "\n\n1. Talk\n2. Label the shelves\n3. Buy a jar",  # a list may end in a word
        ANSWER + "\n\nBest wishes,\nAnna",
        ANSWER + "\n\n```python\nprint('milk')\n```",
        ANSWER + "\n\nDo you want me to draft a note?",
        "You could write this to them:\n\n> Dear all, let us share the milk.\n\n" + ANSWER,
        "| shelf | owner |\n|---|---|\n| 1 | Anna |\n| 2 | Anna |\n| 3 | Anna |\n\n" + ANSWER,
        ANSWER + " Thank them for their feedback.",
    ],
)
def test_let_through(response: str) -> None:
    assert reasons(response) == set()


def test_the_token_limit_cuts_off_whatever_the_last_character_is() -> None:
    assert reasons(ANSWER, finish="length") == {"cut_off"}


def test_an_instruction_that_breaks_off_is_cut_off() -> None:
    assert reasons(ANSWER, instruction="How can I tell my flatmates about the milk without any .") == {"cut_off"}


@pytest.mark.parametrize(
    "opening",
    [
        "Here's the refined response:",
        "**Revised Answer:**",
        "Revised:",
        "Final version:",
        "Response (revised):",
        "[Revised]",
        "As you suggested, I have shortened this.",
        "As requested, I've made the tone warmer.",
        "Here is my second draft:",
        "I've revised the answer to be more concise.",
        "I have rewritten it to address the weaknesses.",
        "Changes made: more.",
        "Taking your suggestions into account, here it is.",
        "Following your feedback, here it is.",
        "Thanks for the critique!",
        "In response to your critique, here it is.",
        "Certainly, here's a more detailed version:",
        "I addressed the reader's concerns.",
        "This version is more concise.",
        "You're right, I left out the fridge.",
        "With your comments in mind, here it is.",
        "To address these weaknesses, I add a list.",
        "I made the following changes: none.",
        "The response lacks detail.",
        "The previous answer did not mention it.",
        "Strengths and weaknesses: none.",
        "Feedback: too long.",
        "The response should provide a list.",
        "Thanks for pointing that out.",
    ],
)
def test_talk_about_a_revision_is_residue_however_it_is_worded(opening: str) -> None:
    assert "critique_residue" in reasons(f"{opening.strip()} {ANSWER}")


@pytest.mark.parametrize(
    "opening",
    [
        "As you suggested, the door of the fridge will do.",
        "Final answer: 42.",
        "The updated version of the fridge keeps it colder, the previous version of it did not.",
        "The answer is not very complicated.",
        "A better answer would come from your dairy, and a better answer would be to ask it.",
        "The response was swift: the crowd stormed the Bastille.",
        "The body's first response is to sweat. The response is quick.",
        "Your response should be calm when they shout; your first answer to them should be no.",
        "The draft was reinstated in 1940, and the draft is coming from under the door.",
        "An improved response to stress comes with practice.",
        "The rewritten text of the treaty came in 1919.",
        "Incorporate this feedback into your routine.",
        "An earlier version of it was insecure; the updated version is 1.3.",
        "Your first draft is always rough.",
        "Thank you for asking!",
    ],
)
def test_ordinary_sentences_with_the_same_words_are_none(opening: str) -> None:
    assert reasons(f"{opening} {ANSWER}") == set()


def test_each_paragraph_may_open_with_talk_about_a_revision() -> None:
    assert "critique_residue" in reasons(f"{ANSWER}\n\nHere's a revised version: {ANSWER}")
    assert "critique_residue" in reasons(f"{ANSWER}\n\n**Here is a more detailed answer:** {ANSWER}")
    assert "critique_residue" not in reasons(f"{ANSWER}\n\nHere is a cheaper version: a box with your name on it.")
    assert "critique_residue" not in reasons(f"{ANSWER}\n\nHere is an improved version of the note: no milk today.")


def test_a_short_text_may_repeat_a_figure_of_speech_and_no_more() -> None:
    loop = "You can only see one skill at a time, and you can only see one skill at a time, and so on."
    figure = "We shall fight on the beaches, we shall fight on the landing grounds, we shall fight in the fields."
    assert "repetition" in repetition(Sample("Q?", loop), ASKED, Repetition()).reasons
    assert repetition(Sample("Q?", figure), ASKED, Repetition()).reasons == ()


def test_labels_that_the_instruction_asks_for_are_no_residue() -> None:
    answer = "Strengths: it is cheap.\nWeaknesses: it is slow.\n" + ANSWER
    assert reasons(answer, instruction="Compare a shared fridge with one of my own for the milk.") == set()
    assert reasons("Notes: " + ANSWER, instruction="Take notes on how flatmates share milk.") == set()
    assert "critique_residue" in reasons(answer)


def test_a_revision_that_was_asked_for_is_no_residue() -> None:
    rewrite = "Please rewrite my note to the flatmates."
    assert reasons("Here is a revised version: " + ANSWER, instruction=rewrite) == set()


@pytest.mark.parametrize(
    ("instruction", "asks"),
    [
        (QUESTION, True),
        ("Write a note to my flatmates.", True),
        ("I live with three others. Help me write a note.", True),
        ("I need a note for my flatmates.", True),
        ("milk flatmates note example", True),  # keywords ask, as people type them
        ("Wie sage ich meinen Mitbewohnern, dass die Milch fehlt", True),  # other languages are let be
        ("The kitchen was cold and the milk was gone.", False),
        ("I have been chosen to represent the world in my dream.", False),
    ],
)
def test_an_instruction_asks_for_something(instruction: str, asks: bool) -> None:
    assert ("no_request" in reasons(ANSWER, instruction=instruction)) != asks


def test_blanks_in_an_instruction_are_an_echo_of_a_form() -> None:
    assert "echo" in reasons(ANSWER, instruction="How can I use [your topic] as a tool?")


def test_words_wanted_come_from_the_query_type_or_the_number_of_skills() -> None:
    twelve_words = "one two three four five six seven eight nine ten eleven twelve."
    assert "too_short" in reasons(twelve_words)
    assert "too_short" not in reasons(twelve_words, TOLD)
    assert "too_short" in reasons("The sea sleeps.", TOLD)


@pytest.mark.parametrize(("k", "sentences", "rejected"), [(2, 1, False), (2, 2, True), (3, 2, False), (3, 3, True)])
def test_the_sentence_limit_is_k_minus_one(k: int, sentences: int, rejected: bool) -> None:
    cell = TOLD if k == 2 else TOLD_FALLACY
    said = ["Her rook was a wall of stone.", "His queen had other plans today.", "Nobody saw the pawn."]
    text = " ".join(said[:sentences])
    assert ("too_many_sentences" in reasons(text, cell)) == rejected


def test_answers_of_instruct_skill_mix_have_no_sentence_limit() -> None:
    assert "too_many_sentences" not in reasons(ANSWER + " It works. It did for me.")


@pytest.mark.parametrize(
    ("text", "cell", "named"),
    [
        ("A red herring swam by, and the sea was a bed.", TOLD, True),
        ("Red herrings swam by, and the sea was a bed.", TOLD, True),
        ("The herring was red, and the sea was a bed.", TOLD, False),
        ("It was an accident that the sea was a bed to her.", TOLD_FALLACY, True),  # up to the first "("
        ("That sweeping generalization was a bed to her.", TOLD_FALLACY, True),  # an alias
        ("A metaphorical sea, by the way, was her bed.", TOLD, False),  # whole words, unlike the reference
    ],
)
def test_a_skill_named_in_a_text(text: str, cell: Cell, named: bool) -> None:
    assert ("skill_named" in reasons(text, cell)) == named


def test_instruct_skill_mix_looks_at_the_instruction() -> None:
    assert "skill_named" in reasons(ANSWER, instruction="What is a red herring, and how do I use it?")
    assert "skill_named" not in reasons(ANSWER + " That is no red herring.")


def test_aliases_can_be_left_out() -> None:
    sample = Sample("", "That sweeping generalization was a bed to her.")
    assert skill_named(sample, TOLD_FALLACY, SkillNamed(aliases=False)).reasons == ()


def test_every_reason_is_kept_not_only_the_first() -> None:
    assert {"too_short", "cut_off", "critique_residue"} <= reasons("Here is the refined response:")


def test_a_filter_can_be_switched_off_and_its_threshold_moved() -> None:
    sample = Sample(QUESTION, "Talk to them.")
    off = FiltersConfig(too_short=TooShort(enabled=False))
    assert apply_filters(sample, ASKED, off).accepted
    loop = Sample(QUESTION, "You should talk. " * 12)
    patient = Repetition(max_repeated_sentences=1, max_repeated_4grams=1, max_compression=99, max_repeated_openings=1)
    assert repetition(loop, ASKED, patient).reasons == ()


def test_an_unusable_reply_keeps_its_one_reason() -> None:
    sample = Sample(QUESTION, "", reasons=(Reason.UNPARSABLE,))
    assert apply_filters(sample, ASKED, FiltersConfig()) == sample


def test_stored_rows_are_decided_again_without_their_old_reasons() -> None:
    stored = Sample(QUESTION, ANSWER, reasons=(Reason.PROMPT_COPY, Reason.TOO_SHORT, "custom:rude", Reason.OVERRIDE))
    assert undecided(stored).reasons == (Reason.PROMPT_COPY,)  # the generator's own stays
    again = apply_filters(undecided(apply_filters(stored, ASKED, FiltersConfig())), ASKED, FiltersConfig())
    assert again.reasons == (Reason.PROMPT_COPY,)


def test_each_filter_has_its_section_and_its_reason() -> None:
    assert set(FILTERS) == set(FiltersConfig.model_fields) - {"custom", "near_duplicates"} == set(REASONS)


ANY_TEXT = st.one_of(
    st.text(alphabet=st.characters()),
    st.lists(
        st.sampled_from(["```\n", "|", "\n", " ", "a.", "…", "\ud800", "[insert ", "I'm sorry", ":", "1. ", "\0"]),
        max_size=60,
    ).map("".join),
)


@given(ANY_TEXT, ANY_TEXT, st.sampled_from([ASKED, TOLD]))
@settings(max_examples=200)
def test_filters_take_any_text(instruction: str, response: str, cell: Cell) -> None:
    judged = apply_filters(Sample(instruction, response), cell, FiltersConfig())
    assert all(value == value for value in judged.signals.values())  # numbers, never NaN
    unasked = {name for name in SIGNALS if name.startswith(("evaluation_", "duplicate_"))}  # no sets, no other rows
    unasked |= {"language", "skills_shown", "grade_share", "ungraded"}  # nor does the cell ask for one; no grader
    assert set(judged.signals) == SIGNALS - unasked - (set() if cell is ASKED else {"shirker_score"})
    assert apply_filters(judged, cell, FiltersConfig()) == judged  # deciding again changes nothing
    assert apply_filters(undecided(judged), cell, FiltersConfig()) == judged


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["!", "\n", " ", "a ", "1. ", "```\n", "|\n", "[insert ", "i am sorry ", ". ", "\n \n", "*", ", "]
)
def test_long_texts_take_no_time_to_speak_of(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    apply_filters(Sample(text, text), ASKED, FiltersConfig())


@given(st.text("abes, n\n", max_size=14), st.sampled_from([" because.", "an.", " x .", " the?", "\nor!"]))
def test_the_last_characters_are_enough_to_see_a_broken_end(text: str, end: str) -> None:
    said = text + end
    for pattern in (form.BROKEN_END, form.LOOSE_STOP):
        assert bool(pattern.search(said[-form.LONGEST_END :])) == bool(pattern.search(said))
