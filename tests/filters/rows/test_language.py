"""What the filters do with cells that have a language."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.records import Sample
from skillmill.data.text.sentences import count_sentences
from skillmill.data.text.words import count_words
from skillmill.filters.apply import apply_filters, undecided
from skillmill.filters.config import FiltersConfig
from skillmill.filters.rows.language import LANGUAGES, Language, _identifier, likelihood
from skillmill.filters.shirker.model import BRIEF_SHARE
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic

SKILLS = (Skill(name="red herring"), Skill(name="perspective taking"))
ENGLISH = Cell("instruct_skill_mix", 0, SKILLS, None, QueryType(name="Advice", min_words=20), 1, language="English")
GERMAN = replace(ENGLISH, language="German")
GERMAN_TEXT = Cell("skill_mix", 0, SKILLS, Topic(name="chess"), None, 1, language="German")

QUESTION = "Meine Mitbewohner trinken jeden Abend meine Milch aus. Wie sage ich es ihnen, ohne dass es Streit gibt?"
ANSWER = (
    "Wählen Sie einen ruhigen Abend, z. B. den 3. Mai, und sagen Sie nur, was Sie gesehen haben: Die Packung war am "
    "Dienstag leer. Bieten Sie dann einen Ausweg an, etwa ein Fach für jeden. Und schalten Sie danach das Licht an."
)
ENGLISH_ANSWER = (
    "Pick a quiet evening and say what you saw, not what you think of them: the carton was empty on Tuesday. "
    "Then offer a way out, such as a shelf for each of you and a shared jar for coffee."
)

ANSWERS_IN = {
    "Chinese": "如果你的室友总是喝你的牛奶，你可以找一个安静的晚上，平静地告诉他们你看到的情况。"
    "然后提出一个解决办法，比如每人一个架子。",
    "Russian": "Выберите спокойный вечер и скажите только то, что вы видели: во вторник пакет был пуст. Затем "
    "предложите выход, например отдельную полку для каждого.",
    "French": "Choisissez un soir calme et dites seulement ce que vous avez vu : mardi, la brique était vide. Proposez "
    "ensuite une solution, par exemple une étagère pour chacun, puisqu'il y en a.",
    "Thai": "เลือกเย็นวันที่เงียบสงบแล้วบอกเฉพาะสิ่งที่คุณเห็นว่ากล่องนมว่างเปล่าในวันอังคาร จากนั้นเสนอทางออก เช่น ชั้นวางของสำหรับแต่ละคน "
    "และขวดกาแฟที่ใช้ร่วมกันในครัว",
    "Turkish": "Sakin bir akşam seçin ve yalnızca gördüğünüzü söyleyin: Salı günü kutu boştu. Sonra bir çözüm önerin, "
    "örneğin herkes için ayrı bir raf ve ortak bir kahve kavanozu.",
    "Norwegian": "Velg en rolig kveld og si bare det du har sett: På tirsdag var kartongen tom. Foreslå så en løsning, "
    "for eksempel en egen hylle til hver av dere og et felles glass for kaffe.",
}


def reasons(response: str, cell: Cell = GERMAN, instruction: str = QUESTION) -> set[str]:
    sample = Sample(instruction, response, finish_reason="stop")
    return {str(reason) for reason in apply_filters(sample, cell, FiltersConfig()).reasons}


def test_rows_in_the_language_asked_for_pass() -> None:
    assert reasons(ANSWER) == set()
    assert reasons(ENGLISH_ANSWER, ENGLISH, "How can I tell my flatmates that my milk keeps disappearing?") == set()


@pytest.mark.parametrize("name", ANSWERS_IN)
def test_good_answers_in_other_languages_pass(name: str) -> None:
    assert reasons(ANSWERS_IN[name], replace(GERMAN, language=name), ANSWERS_IN[name]) <= {
        "echo"
    }  # for the answer is repeated


def test_answer_or_instruction_in_another_language_is_rejected() -> None:
    assert "language" in reasons(ENGLISH_ANSWER)
    assert "language" in reasons(ANSWER, instruction=ENGLISH_ANSWER)
    assert "language" in reasons(ANSWER, ENGLISH)
    assert "language" in reasons(ANSWERS_IN["French"]) and "language" in reasons(ANSWERS_IN["Chinese"])


def test_cells_without_a_language_are_not_checked() -> None:
    plain = replace(ENGLISH, language=None)
    judged = apply_filters(Sample(QUESTION, ANSWER), plain, FiltersConfig())
    assert "language" not in judged.reasons and "language" not in judged.signals


def test_the_english_request_of_a_skill_mix_text_is_not_checked() -> None:
    request = "Write a short, natural text about chess in at most one sentence. The text has to show both skills."
    text = "Ihr Springer war ein Dieb in der Nacht, und ist es heute, z. B. Nr. 7 hier, nicht viel zu warm?"
    assert reasons(text, GERMAN_TEXT, request) == set()
    assert "language" in reasons("Her knight was a thief in the night, and is it not warm today?", GERMAN_TEXT, request)


@pytest.mark.parametrize("text", ["Test", "E = mc²", "🐱😺🐾", "```python\nprint(1)\n```", "", "1 5 8 3 6 4 9 7 2 5"])
def test_a_text_too_short_to_tell_passes(text: str) -> None:
    assert likelihood(text, "German") == 1.0


def test_the_threshold_is_an_option() -> None:
    doubtful = Sample(QUESTION, "Der Manager hat das Meeting gecancelt: no budget, no team, no project, sorry guys!")
    judged = apply_filters(doubtful, GERMAN, FiltersConfig())
    assert 0.01 <= judged.signals["language"] < 1.0
    strict = FiltersConfig(language=Language(min_probability=1.0))
    assert "language" in apply_filters(doubtful, GERMAN, strict).reasons


def test_every_language_is_known_to_the_identifier() -> None:
    known = set(_identifier().labels)
    assert {code for codes in LANGUAGES.values() for code in codes} <= known


def test_english_word_lists_do_not_judge_other_languages() -> None:
    assert "no_request" not in reasons(ANSWER, instruction="In meinem Garten wachsen Tomaten, gib mir bitte guten Rat.")
    assert "cut_off" not in reasons(ANSWER.replace("das Licht an.", "das Licht in der Küche an."))
    assert "cut_off" in reasons(ANSWER + " Danach sollten Sie sich mit allen zusammen an den Tisch setzen und")
    judged = apply_filters(Sample(QUESTION, ANSWER), GERMAN, FiltersConfig())
    assert "shirker_score" not in judged.signals


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Am 3. Mai fährt Prof. Meier, d. h. z. B. mit Äpfeln, los.", 1),
        ("Das ist wunderbar. Wirklich gut! Oder nicht?", 3),
        ("Она пришла. А потом ушла.", 2),
        ("他来了。我走了。你呢？", 3),
        ("वह घर आया। मैं गया।", 2),
        ("هل ذهبت إلى السوق؟ نعم ذهبت.", 2),
        ("", 0),
    ],
)
def test_sentences_of_other_languages(text: str, count: int) -> None:
    assert count_sentences(text, english=False) == count


@given(st.text(alphabet=st.characters()))
@settings(max_examples=200)
def test_any_text_is_judged_in_any_language(text: str) -> None:
    assert (count_sentences(text, english=False) >= 1) == bool(text.strip())
    for cell in (GERMAN, GERMAN_TEXT, replace(GERMAN, length="short")):
        judged = apply_filters(Sample(text, text), cell, FiltersConfig())
        assert 0.0 <= judged.signals["language"] <= 1.01
        assert apply_filters(undecided(judged), cell, FiltersConfig()) == judged


@pytest.mark.parametrize("piece", ["!", "a", "a.", ". ", "\n", "。", " \n", "ก", "Wort! "])
def test_a_long_text_does_not_hang_the_filters(piece: str) -> None:
    """A pattern with quadratic time would run into the timeout of every test, on any machine."""
    text = piece * (100_000 // len(piece))
    decided = apply_filters(Sample(text, text), GERMAN_TEXT, FiltersConfig())
    assert decided.response == text


@given(st.text(alphabet="abc 漢字かなไทย.é\n"))
def test_words_of_unspaced_scripts_are_counted_by_letters(text: str) -> None:
    spaced = count_words("".join(char for char in text if ord(char) < 0x0E00))
    assert count_words(text) <= len(text) and (spaced or count_words(text) <= len(text) / 2 + 1)


def test_an_answer_that_is_short_on_purpose_is_less_suspect() -> None:
    score = {
        length: apply_filters(
            Sample("How do I get there?", ENGLISH_ANSWER), replace(ENGLISH, length=length), FiltersConfig()
        ).signals["shirker_score"]
        for length in (None, "short")
    }
    assert score["short"] == pytest.approx(BRIEF_SHARE * score[None], abs=1e-5) and score[None] > 0
