"""Skill-Mix: a very short text on a topic that shows k skills, drafted and then reviewed (papers.md 1.4)."""

from dataclasses import dataclass, field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.form import sentence_limit
from skillmill.generators.conversation import PROMPTS, Asking, assistant, number_of_sentences, user
from skillmill.generators.parsing import answer_and_explanation, clean
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render

FOLDER = PROMPTS / "skill_mix"


@dataclass(frozen=True)
class SkillMix:
    """`generations` texts per cell, each its own conversation of two turns."""

    sampling: Sampling
    generations: int = 1
    kind: str = field(default="skill_mix", init=False)
    prompts: str = field(default_factory=lambda: prompts_fingerprint(FOLDER), init=False)

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation. Raises `TurnFailed` where the teacher gave no reply."""
        return [await self._one(cell, teacher, generation) for generation in range(self.generations)]

    async def _one(self, cell: Cell, teacher: Teacher, generation: int) -> Sample:
        asking = Asking(teacher, self.sampling)
        conversation = [user(render_turn("draft", cell))]
        first = await asking.chat(conversation, derived_seed(cell.seed, generation, "draft"), "draft")
        draft, _ = answer_and_explanation(clean(first.text))
        conversation = [*conversation, assistant(first.text), user(render_turn("review", cell))]
        second = await asking.chat(conversation, derived_seed(cell.seed, generation, "review"), "review")
        answer, explanation = answer_and_explanation(clean(second.text))
        return Sample(
            instruction=render_turn("request", cell),
            response=answer or "",
            generation=generation,
            draft=draft or clean(first.text) if answer else clean(second.text),
            explanation=explanation,
            finish_reason=second.finish_reason,
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
            reasons=() if answer else (Reason.UNPARSABLE,),
        )


def render_turn(turn: str, cell: Cell) -> str:
    """One of this folder's prompts for a cell: "draft", "review" or "request"."""
    return render(
        FOLDER,
        turn,
        skills=cell.skills,
        topic=cell.topic.name if cell.topic else "anything",
        sentences=number_of_sentences(sentence_limit(cell.k)),
    )
