"""Instruct-SkillMix: a question that needs k skills, an answer, its critique, a better answer (papers.md 3.3, 3.4).

In the short form, for small models and budgets, the instruction is made of parts: one question for each skill, each
answered in a paragraph of its own. A small model keeps one skill in mind; of two it forgets one, or both.
"""

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

QUESTION = (
    "^(How (can|do|should) (I|we|my)|What (is|are) the (best|easiest|safest|right|main|usual)|What should (I|we)|"
    "What happens (if|when)|Why (do|does|did|is|are)|Which (is|are|one|kind|way)|"
    r"Can you (explain|compare|describe|suggest|help me)) [^\"\\\n?.!]{15,200}[?]$"
)
"""In the short form, the question that one of the skills answers."""

PARAGRAPH = {"stop": ["\n\n"]}
"""Ends a short answer where its one paragraph ends; every chat API knows `stop`."""


@dataclass(frozen=True)
class InstructSkillMix:
    """One instruction per cell; response, critique and refinement once per generation."""

    sampling: Sampling
    generations: int = 1
    kind: str = field(default="instruct_skill_mix", init=False)
    prompts: str = field(default_factory=lambda: prompts_fingerprint(FOLDER), init=False)

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation; a single one where the instruction cannot be used.

        The tokens of the instruction are counted in generation 0. Raises `TurnFailed` where the teacher gave no reply.
        """
        asking = Asking(teacher, self.sampling)
        short = is_short(self.sampling)
        seed, schema = derived_seed(cell.seed, "instruction"), instruction_schema(cell, self.sampling)
        reply = await asking.chat(instruction_messages(cell, short), seed, "instruction", schema)
        parts = read_parts(clean(reply.text), list(schema["properties"]))
        reasons = (Reason.PROMPT_COPY,) if any(copies_an_example(part) for part in parts) else ()
        if not parts or reasons:
            return [
                Sample(
                    instruction=" ".join(parts),
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
            samples.append(await self._answered(cell, asking, parts, generation))
            asking = Asking(teacher, self.sampling)
        return samples

    async def _answered(self, cell: Cell, asking: Asking, parts: list[str], generation: int) -> Sample:
        seed = derived_seed(cell.seed, generation)
        length = answer_length(self.sampling, cell, len(parts))
        skills = [described(skill) for skill in cell.skills]
        whole = {"skills": skills, "length": length}
        about = [{"skills": [skill], "length": length} for skill in skills] if len(parts) > 1 else [whole]
        drafts, _ = await self._paragraphs(asking, parts, "response", about, seed)
        draft = "\n\n".join(drafts)
        instruction = " ".join(parts)
        remark = text_schema(self.sampling, SHORT_REMARK)
        said = await asking.chat(
            [
                system(render(FOLDER, "response", **whole)),
                user(instruction),
                assistant(draft),
                user(render(FOLDER, "critique")),
            ],
            derived_seed(seed, "critique"),
            "critique",
            object_schema(strengths=remark, weaknesses=remark),
        )
        strengths, weaknesses = read_critique(clean(said.text))
        remarks = {"strengths": strengths, "weaknesses": weaknesses}
        notes = [{**shown, **remarks, "draft": text} for shown, text in zip(about, drafts, strict=True)]
        final, finish_reason = await self._paragraphs(asking, parts, "refine", notes, seed)
        return Sample(
            instruction=instruction,
            response="\n\n".join(final),
            generation=generation,
            draft=draft,
            critique=clean(said.text).strip(),
            finish_reason=finish_reason,
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
        )

    async def _paragraphs(
        self, asking: Asking, parts: list[str], turn: str, variables: list[dict[str, Any]], seed: int
    ) -> tuple[list[str], str]:
        """What answers each part, under the prompt `turn`, and whether any of it was cut off."""
        answering = replace(asking, sampling=answer_sampling(self.sampling))
        replies = [
            await answering.chat([system(render(FOLDER, turn, **shown)), user(part)], derived_seed(seed, turn, i), turn)
            for i, (part, shown) in enumerate(zip(parts, variables, strict=True))
        ]
        cut = next((reply.finish_reason for reply in replies if reply.finish_reason != "stop"), "stop")
        return [clean(reply.text).strip() for reply in replies], cut


def instruction_messages(cell: Cell, short: bool) -> list[Message]:
    """The guidance, the worked examples as earlier turns, and the task."""
    task = render(FOLDER, "task", query_type=kind_of_question(cell), skills=cell.skills)
    return [*_opening(short), user(task)]


@cache
def _opening(short: bool) -> list[Message]:
    messages = [system(render(FOLDER, "instruction", short=short))]
    for example in examples():
        task = render(FOLDER, "task", query_type=example["query_type"], skills=example["skills"])
        answer = example["short"] if short else {"instruction": example["full"]}
        messages += [user(task), assistant(orjson.dumps(answer).decode())]
    return messages


def instruction_schema(cell: Cell, sampling: Sampling) -> dict[str, Any]:
    """One text; in the short form one question for each skill, under its name."""
    text = text_schema(sampling, QUESTION)
    return object_schema(
        **({skill.name: text for skill in cell.skills} if is_short(sampling) else {"instruction": text})
    )


def read_parts(text: str, keys: list[str]) -> list[str]:
    """The texts under `keys` in a reply; empty where one is missing."""
    parts = [unquoted(string_field(text, key) or "") for key in keys]
    return parts if all(parts) else []


def kind_of_question(cell: Cell) -> str:
    """The query type for a prompt: its definition says more than its name."""
    about = cell.query_type
    return (about.definition.rstrip(".") or about.name) if about else "any"


def answer_sampling(sampling: Sampling) -> Sampling:
    """How answers are decoded: as all turns, but a short one is a single paragraph."""
    given = sampling.model_extra or {}
    return sampling.model_copy(update={**PARAGRAPH, **given}) if is_short(sampling) else sampling


def answer_length(sampling: Sampling, cell: Cell, parts: int) -> str:
    """How long the answer to each of `parts` may be, for a prompt, so that it fits `max_tokens` and the query type."""
    if is_short(sampling):
        much = cell.query_type is not None and cell.query_type.min_words > LITTLE * parts
        sentences = "five to seven" if much else "three to five" if parts == 1 else "two to four"
        return f"one paragraph of {sentences} sentences"
    return f"at most {min(LONGEST_ANSWER, sampling.max_tokens // 2)} words"


def read_critique(text: str) -> tuple[str, str]:
    """Strengths and weaknesses; a critique in another form is kept whole as what to change."""
    strengths, weaknesses = string_field(text, "strengths"), string_field(text, "weaknesses")
    return (strengths or "", weaknesses or "") if strengths or weaknesses else ("", text.strip())


@cache
def examples() -> list[dict[str, Any]]:
    """The worked examples: query_type, skills, and the instruction: `short`, a question per skill, and `full`."""
    return [orjson.loads(line) for line in render(FOLDER, "examples").splitlines() if line.strip()]


def copies_an_example(instruction: str) -> bool:
    """Whether the instruction is taken from a worked example."""
    return copies(
        instruction, [text for example in examples() for text in (*example["short"].values(), example["full"])]
    )
