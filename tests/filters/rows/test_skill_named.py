"""Texts that name their skills, in any form of the name."""

import pytest
from example_rows import ANSWER, FALLACY_CELL, TEXT_CELL, reasons

from skillmill.data.records import Sample
from skillmill.filters.rows.skill_named import SkillNamed
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill

SKILLS = tuple(
    Skill(name=name)
    for name in ("risk assessment", "perspective taking", "planning", "root-cause analysis", "research design")
)
INSTRUCTION_CELL = Cell("instruct_skill_mix", 0, SKILLS, None, None, 1)


@pytest.mark.parametrize(
    ("instruction", "named"),
    [
        ("Which risk assessments does my kitchen need?", True),
        ("How do root causes analysed by others help me?", False),  # another word than analysis
        ("Is root cause analysis right for my leaking tap?", True),
        ("What do I do about the risks assessed by my landlord?", False),
        ("Is perspective-taking something for children?", True),
        ("Are perspectives taken by children of use?", False),  # irregular: another base
        ("Does perspective takes patience?", True),
        ("How are plans made for a wedding in May?", False),  # one word: its inflections are ordinary words
        ("What is at risk when an assessment of my roof is late?", False),
        ("Is a risk\u2013assessment or a risk\u2011assessment due for my kitchen?", True),
        ("Is a risk\u00a0assess\u00adment due for my kit\u200bchen?", True),
        ("Are brisk assessments of use?", False),
        ("What perspective does a taxi driver take?", False),
        ("How do researchers design a study?", False),  # those who do it
        ("Is this a piece of research designed to fail?", False),
    ],
)
def test_names_of_several_words_count_in_any_inflection(instruction: str, named: bool) -> None:
    assert bool(SkillNamed().check(Sample(instruction, ""), INSTRUCTION_CELL).reasons) == named


@pytest.mark.parametrize(
    ("name", "instruction", "named"),
    [
        ("planning trips", "How do I plan trips for a class?", True),
        ("planning trips", "How do planes trip a sensor?", False),
        ("critical thinking", "Does thinking critically help?", False),
        ("critical thinking", "Is critically thinking tiring?", True),
        ("storytelling & pacing", "What is storytelling and pacing?", True),
        ("cause and effect", "Is it cause & effect?", True),
        ("naïve realism", "Is nai\u0308ve realism right?", True),
        ("sporting events", "Who pays for a sporting event?", True),
        ("sporting events", "Who pays for a sports event?", False),
        ("tour management", "Which tour manager shall I hire?", False),
        ("tour management", "How do I start managing tours?", False),
        ("creative thinking", "Am I a creative thinker?", False),
        ("mathematical modelling", "Is mathematical modeling hard?", True),
        ("mathematical modelling", "Is a mathematical model hard to make?", True),
        ("lesson plans", "Does lesson planning take long?", True),
        ("teaching strategies", "Which teaching strategy is best?", True),
        ("simplifying fractions", "Has he simplified fractions?", True),
        ("theme design", "Let them design it?", False),
        ("IT support", "How do I lend its support to a cause?", False),
        ("risk analyses", "Is a risk analysis due?", True),
        ("C++", "Is C++ hard?", True),
        ("C++", "Is C hard?", False),
        ("C", "Is C# hard?", False),
        ("类比推理", "请用类比推理解释这首诗。", True),
        ("café planning", "Is cafe\u0301 planning hard?", True),
        ("ＳＷＯＴ分析", "SWOT分析とは？", True),
        ("straße finden", "Wie geht STRASSE FINDEN?", True),
        ("metaphor", "Is *metaphor* or meta\u00adphor meant?", True),
        ("metaphor", "Is it metaphorical?", False),
    ],
)
def test_names_in_other_dress(name: str, instruction: str, named: bool) -> None:
    cell = Cell("instruct_skill_mix", 0, (Skill(name=name),), None, None, 1)
    assert bool(SkillNamed().check(Sample(instruction, ""), cell).reasons) == named


@pytest.mark.parametrize(
    ("text", "cell", "named"),
    [
        ("A red herring swam by, and the sea was a bed.", TEXT_CELL, True),
        ("Red herrings swam by, and the sea was a bed.", TEXT_CELL, True),
        ("The herring was red, and the sea was a bed.", TEXT_CELL, False),
        ("It was an accident that the sea was a bed to her.", FALLACY_CELL, True),  # up to the first "("
        ("That sweeping generalization was a bed to her.", FALLACY_CELL, True),  # an alias
        ("A metaphorical sea, by the way, was her bed.", TEXT_CELL, False),  # whole words, unlike the reference
    ],
)
def test_a_skill_named_in_a_text(text: str, cell: Cell, named: bool) -> None:
    assert ("skill_named" in reasons(text, cell)) == named


def test_instruct_skill_mix_looks_at_the_instruction() -> None:
    assert "skill_named" in reasons(ANSWER, instruction="What is a red herring, and how do I use it?")
    assert "skill_named" not in reasons(ANSWER + " That is no red herring.")


def test_aliases_can_be_left_out() -> None:
    sample = Sample("", "That sweeping generalization was a bed to her.")
    assert SkillNamed(aliases=False).check(sample, FALLACY_CELL).reasons == ()


GERMAN = "Schreibe mir bitte einen kurzen Brief, in dem ich von {} erzähle, die mir und meiner Chefin nicht gefallen."


@pytest.mark.parametrize("language", [None, "German"])
@pytest.mark.parametrize(
    ("name", "phrase", "named"),
    [
        ("Preisverhandlung", "Preisverhandlungen", True),
        ("Preisverhandlung", "Preisverhandlern", False),
        ("kritisches Denken", "der Kunst des kritischen Denkens", True),
        ("Vorschlag", "Vorschlägen", True),
        ("Metapher", "Metaphern", True),
        ("Thema", "Themen", True),
        ("Sprachbild", "Sprachbildern", True),
        ("Kritik", "Kritikern", False),
        ("Vergleich", "dem Wunsch zu vergleichen", False),  # a verb
        ("Planung", "einem Plan", False),
        ("risk assessment", "seinem risk assessment", True),
        ("Risiken bewerten", "bewerteten Risiken", False),  # another order
    ],
)
def test_german_names(language: str | None, name: str, phrase: str, named: bool) -> None:
    assert is_named(name, GERMAN.format(phrase), language) == named


@pytest.mark.parametrize(
    ("language", "name", "text", "named"),
    [
        ("German", "Vergleich", "Vergleichen Sie beide.", False),
        ("German", "Vergleich", "Lies die Vergleiche.", True),
        ("German", "Preisverhandlung", "Preisverhandlungen sind schwer.", True),
        ("Russian", "переговоры", "Как подготовиться к переговорам?", True),
        ("Russian", "критическое мышление", "Что даёт развитие критического мышления?", True),
        ("Russian", "расчёт рисков", "Помоги с расчетом риска.", True),
        ("Russian", "метафора", "Опиши море метафорами.", True),
        ("Russian", "метафора", "Опиши море метафорически.", False),
        ("Russian", "критика", "Ответь критикам и критику.", True),  # "критику" is both
        ("Russian", "критика", "Ответь критиком.", False),
        ("French", "gestion du temps", "Comment améliorer la gestion du temps ?", True),
        ("French", "analyse des risques", "Il faut analyser des risques.", True),
        ("French", "comparaison", "Comparez ces deux villes.", False),
        ("French", "récit oral", "J'aime les récits oraux.", False),  # "oraux" has another stem
        ("Spanish", "negociación", "Háblame de las negociaciones de ayer.", True),
        ("Spanish", "negociación", "¿Cómo va mi negocio?", False),
        ("Spanish", "resolución de problemas", "Quiero resolver problemas.", False),
        ("Spanish", "pensamiento crítico", "Enséñame pensamientos críticos.", True),
        ("Italian", "critica", "Rispondi alle critiche.", True),
        ("Italian", "critica", "Rispondi ai critici.", False),
        ("Italian", "pensiero critico", "A che servono i pensieri critici?", True),
        ("Portuguese", "negociação", "Como foram as negociações?", True),
        ("Dutch", "vergelijking", "Geef me vergelijkingen.", True),
        ("Polish", "negocjacje", "Jak się przygotować do negocjacji?", True),
        ("Swedish", "förhandling", "Hur var förhandlingarna?", True),
        ("Turkish", "eleştirel düşünme", "Eleştirel düşünmeyi nasıl öğrenirim?", True),
        ("Finnish", "neuvottelu", "Miten valmistaudun neuvotteluihin?", False),  # one word, no endings known
        ("English", "research design", "How do researchers design a study?", False),
        ("Chinese", "类比推理", "请用类比推理解释这首诗。", True),
    ],
)
def test_names_in_other_languages(language: str, name: str, text: str, named: bool) -> None:
    assert is_named(name, text, language) == named


def test_the_answer_tells_the_language_of_a_short_instruction() -> None:
    answer = "Bereite dich gut vor, nenne zuerst deinen Preis und sage dann eine Weile lang gar nichts."
    cell = Cell("instruct_skill_mix", 0, (Skill(name="Preisverhandlung"),), None, None, 1)
    assert SkillNamed().check(Sample("Was sind Preisverhandlungen?", answer), cell).reasons


def test_aliases_count_in_other_languages() -> None:
    cell = Cell(
        "skill_mix", 0, (Skill(name="bargaining", aliases=["Preisverhandlung"]),), None, None, 1, language="German"
    )
    sample = Sample("", "Nach drei Preisverhandlungen war er müde.")
    assert SkillNamed().check(sample, cell).signals == {"skills_named": 1}
    assert SkillNamed(aliases=False).check(sample, cell).signals == {"skills_named": 0}


def is_named(name: str, instruction: str, language: str | None) -> bool:
    cell = Cell("instruct_skill_mix", 0, (Skill(name=name),), None, None, 1, language=language)
    return bool(SkillNamed().check(Sample(instruction, ""), cell).reasons)
