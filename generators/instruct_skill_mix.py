"""Instruct-SkillMix: a question that needs k skills, an answer, its critique, a better answer (papers.md 3.3, 3.4)."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import orjson

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.generators.conversation import (
    PROMPTS,
    SHORT_REMARK,
    Asking,
    assistant,
    copies,
    described,
    is_short,
    system,
    text_schema,
    user,
)
from skillmill.generators.parsing import clean, string_field, unquoted
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Message, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import object_schema

FOLDER = PROMPTS / "instruct_skill_mix"
LONGEST_ANSWER = 350
"""Words; an answer of the paper's data has 307 on average (papers.md 3.6)."""
LITTLE = 40
"""Words that three to five sentences surely have."""

_INSIDE = r"[^\"\\\n?.!]"
SHORT_INSTRUCTION = (
    "^(How (can|do|should) (I|we)|What (is|are) the (best|easiest|safest|right|main|usual)|What happens (if|when)|"
    "What should (I|we)|Why (do|does|did|is|are)|Which is better for|Can you (explain|compare|describe|suggest)|"
    "Can you help me (plan|prepare|choose|decide|understand)|"
    "(Can you|Please) (write|tell) a (short )?(story|letter) about|Please (plan|explain|compare|describe)) "
    + _INSIDE
    + "{15,150}[?.]$"
)
PARAGRAPH = {"stop": ["\n\n"]}
"""Ends a short answer where its one paragraph ends; every chat API knows `stop`."""


@dataclass(frozen=True)
class InstructSkillMix:
    """One instruction per cell; response, critique and refinement once per generation."""

    sampling: Sampling
    generations: int = 1
    kind: str = field(default="instruct_skill_mix", init=False)
    prompts: str = field(default_factory=lambda: prompts_fingerprint(FOLDER), init=False)

    @property
    def calls_per_cell(self) -> int:
        return 1 + 3 * self.generations

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation; a single one where the instruction cannot be used.

        The tokens of the instruction are counted in generation 0. Raises `TurnFailed` where the teacher gave no reply.
        """
        asking = Asking(teacher, self.sampling)
        reply = await asking.chat(
            instruction_messages(cell, is_short(self.sampling)),
            derived_seed(cell.seed, "instruction"),
            "instruction",
            object_schema(instruction=text_schema(self.sampling, SHORT_INSTRUCTION)),
        )
        text = string_field(clean(reply.text), "instruction")
        instruction = unquoted(text) if text else ""
        reasons = (Reason.PROMPT_COPY,) if copies_an_example(instruction) else ()
        if not instruction or reasons:
            return [
                Sample(
                    instruction=instruction,
                    response="",
                    draft=clean(reply.text),
                    finish_reason=reply.finish_reason,
                    prompt_tokens=asking.spent.prompt_tokens,
                    completion_tokens=asking.spent.completion_tokens,
                    reasons=reasons or (Reason.UNPARSABLE,),
                )
            ]
        samples = []
        for generation in range(self.generations):
            samples.append(await self._answer(cell, asking, instruction, generation))
            asking = Asking(teacher, self.sampling)
        return samples

    async def _answer(self, cell: Cell, asking: Asking, instruction: str, generation: int) -> Sample:
        def seed(turn: str) -> int:
            return derived_seed(cell.seed, generation, turn)

        answering = replace(asking, sampling=answer_sampling(self.sampling))
        shown = {"skills": [described(skill) for skill in cell.skills], "length": answer_length(self.sampling, cell)}
        conversation = [system(render(FOLDER, "response", **shown)), user(instruction)]
        first = await answering.chat(conversation, seed("response"), "response")
        draft = clean(first.text).strip()
        conversation = [*conversation, assistant(draft), user(render(FOLDER, "critique"))]
        remark = text_schema(self.sampling, SHORT_REMARK)
        schema = object_schema(strengths=remark, weaknesses=remark)
        said = await asking.chat(conversation, seed("critique"), "critique", schema)
        strengths, weaknesses = read_critique(clean(said.text))
        notes = {"draft": draft, "strengths": strengths, "weaknesses": weaknesses}
        afresh = [system(render(FOLDER, "refine", **shown, **notes)), user(instruction)]
        final = await answering.chat(afresh, seed("refine"), "refine")
        return Sample(
            instruction=instruction,
            response=clean(final.text).strip(),
            generation=generation,
            draft=draft,
            critique=clean(said.text).strip(),
            finish_reason=final.finish_reason,
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
        )


def instruction_messages(cell: Cell, short: bool) -> list[Message]:
    """The guidance, the worked examples as earlier turns, and the task, whose setting belongs to the cell's seed."""
    messages = [system(render(FOLDER, "instruction", short=short))]
    for example in examples():
        task = render(FOLDER, "task", **{key: example[key] for key in ("query_type", "setting", "skills")})
        answer = {"instruction": example["short" if short else "full"]}
        messages += [user(task), assistant(orjson.dumps(answer).decode())]
    setting = settings()[derived_seed(cell.seed, "setting") % len(settings())]
    skills = [described(skill) for skill in cell.skills]
    return [*messages, user(render(FOLDER, "task", query_type=kind_of_question(cell), setting=setting, skills=skills))]


def kind_of_question(cell: Cell) -> str:
    """The query type for a prompt: its definition says more than its name."""
    about = cell.query_type
    return (about.definition.rstrip(".") or about.name) if about else "any"


def answer_sampling(sampling: Sampling) -> Sampling:
    """How answers are decoded: as all turns, but a short one is a single paragraph."""
    given = sampling.model_extra or {}
    return sampling.model_copy(update={**PARAGRAPH, **given}) if is_short(sampling) else sampling


def answer_length(sampling: Sampling, cell: Cell) -> str:
    """How long an answer may be, for a prompt, so that it fits `max_tokens` and its query type's `min_words`."""
    if is_short(sampling):
        much = cell.query_type is not None and cell.query_type.min_words > LITTLE
        return f"one paragraph of {'five to seven' if much else 'three to five'} sentences"
    return f"at most {min(LONGEST_ANSWER, sampling.max_tokens // 2)} words"


def read_critique(text: str) -> tuple[str, str]:
    """Strengths and weaknesses; a critique in another form is kept whole as what to change."""
    strengths, weaknesses = string_field(text, "strengths"), string_field(text, "weaknesses")
    return (strengths or "", weaknesses or "") if strengths or weaknesses else ("", text.strip())


@cache
def examples() -> list[dict[str, Any]]:
    """The worked examples: query_type, setting, skills, and the instruction as `short` and as `full` text."""
    return [orjson.loads(line) for line in render(FOLDER, "examples").splitlines() if line.strip()]


@cache
def settings() -> list[str]:
    """The settings that a cell may have."""
    return [line.strip() for line in render(FOLDER, "settings").splitlines() if line.strip()]


def copies_an_example(instruction: str) -> bool:
    """Whether the instruction is taken from a worked example."""
    return copies(instruction, [example[form] for example in examples() for form in ("short", "full")])
