"""Extraction in other languages: names and sentences are measured by the rules of their script."""

import asyncio
import random
import re

import pytest
from scripted_teacher import Scripted

from skillmill.skill_taxonomy.extraction.examples import Examples
from skillmill.skill_taxonomy.extraction.from_dataset import extract_from_dataset
from skillmill.skill_taxonomy.extraction.from_teacher import extract
from skillmill.skill_taxonomy.extraction.requests import ANY_LANGUAGE, ENGLISH, forms_for
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.teachers.base import Sampling

# domain, two topics, four skills, two query types, a definition, an example
LANGUAGES = {
    "Chinese": (
        *("围棋", ["数学", "烹饪"], ["类比推理", "风险评估", "预算", "翻译"], ["求助", "写信"]),
        *("判断可能出现的问题及其严重程度。", "她先数了数房间里的出口。"),
    ),
    "Japanese": (
        *("園芸", ["料理", "数学"], ["類推", "リスク評価", "予算", "スケジュール管理"], ["相談", "手紙の作成"]),
        *("起こりうる問題とその深刻さを見きわめること。", "彼女はまず部屋の出口を数えた。"),
    ),
    "Thai": (
        *("การทำสวน", ["การทำอาหาร", "คณิตศาสตร์"], ["การแก้ปัญหา", "การประเมิน", "งบประมาณ", "การแปล"]),
        *(["คำแนะนำ", "จดหมาย"],),
        *("การตัดสินว่าอะไรอาจผิดพลาดและร้ายแรงเพียงใด", "เธอนับทางออกของห้องก่อน"),
    ),
    "Russian": (
        *("садоводство", ["кулинария", "математика"], ["оценка рисков", "бюджет", "перевод", "сравнение"]),
        *(["совет", "письмо"],),
        *("Понимание того, что может пойти не так.", "Сначала она сосчитала выходы из комнаты."),
    ),
    "Arabic": (
        *("البستنة", ["الطبخ", "فن"], ["تقييم المخاطر", "الميزانية", "الترجمة", "المقارنة"], ["نصيحة", "رسالة"]),
        *("الحكم على ما قد يسوء وعلى مدى خطورته.", "عدّت أولاً مخارج الغرفة كلها."),
    ),
    "Korean": (
        *("원예", ["요리", "수학"], ["위험 평가", "예산", "번역", "비교"], ["조언", "편지"]),
        *("문제의 원인을 찾아낸다.", "그녀는 먼저 출구를 세었다."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_teacher_that_answers_in_its_language_fills_every_place(language: str) -> None:
    domain, topics, skills, kinds, definition, example = LANGUAGES[language]

    def answer(question: str, seed: int) -> object:
        if "five subjects" in question:
            return {"names": topics}
        if "skills of people" in question:
            first = topics[0].lower() in question
            return {"names": skills[:2] if first else skills[2:]}
        if "Define it" in question:
            return {"definition": definition, "example": example}
        return {"kinds": [{"name": name, "definition": definition} for name in kinds]}

    teacher = Scripted(answer)
    config = TaxonomyConfig(source="teacher", domain=domain, topics=2, skills_per_topic=2, query_types=2)
    taxonomy = asyncio.run(extract(config, teacher, Sampling(), 1))
    assert {topic.name.lower() for topic in taxonomy.topics} == set(topics)
    assert {skill.name for skill in taxonomy.skills} == {name.lower() for name in skills}
    assert {query_type.name for query_type in taxonomy.query_types} == set(kinds)
    assert all("Answer in the language" in request.messages[-1]["content"] for request in teacher.asked)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dataset_is_labelled_in_its_language(language: str) -> None:
    _, topics, skills, kinds, definition, example = LANGUAGES[language]
    rows = [{"text": f"{example} <{row}>"} for row in range(16)]

    def answer(question: str, seed: int) -> object:
        number = int(found[1]) if (found := re.search(r"<(\d+)>", question)) else 0
        if question.startswith("Name the subject"):
            return {"subject": topics[number % 2], "skills": [skills[number % 4]]}
        if question.startswith("Name the one skill"):
            return {"name": next(name for name in skills if name.lower() in question)}
        if "Choose from the list" in question:
            return {"skills": [skills[number % 4]]}
        if "Define it" in question:
            return {"definition": definition, "example": example}
        return {"name": kinds[random.Random(seed).randrange(2)], "definition": definition}

    examples = Examples("rows.jsonl", rows, (("text",), ()), len(rows), 1)
    config = TaxonomyConfig(source="dataset", dataset="rows.jsonl", topics=2, skills=4, query_types=2)
    taxonomy, labels = asyncio.run(extract_from_dataset(config, examples, Scripted(answer), Sampling(), 1))
    assert {topic.name.lower() for topic in taxonomy.topics} == set(topics)
    assert {skill.name for skill in taxonomy.skills} == {name.lower() for name in skills}
    assert all(each.skills for each in labels)


def test_the_language_of_the_material_decides_the_form_of_replies() -> None:
    assert forms_for(["Kubernetes operations"]) is ENGLISH
    assert forms_for([]) is ENGLISH
    assert forms_for(["How do I boil an egg in a small café?", "I want to plan a week of meals." * 9]) is ENGLISH
    assert forms_for(["围棋"]) is ANY_LANGUAGE
    assert forms_for(["Wie plane ich eine Woche für fünf Gäste?"]) is ANY_LANGUAGE
