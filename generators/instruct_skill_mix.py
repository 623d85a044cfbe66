"""Instruct-SkillMix: a question that needs k skills, an answer, its critique, a better answer (papers.md 3.3, 3.4).

In the short form, for small models and budgets, the instruction is made of parts: one question for each skill, each
answered in a paragraph of its own. A small model keeps one skill in mind; of two it forgets one, or both.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import orjson

from skillmill.data.reasons import Reason
from skillmill.data.records import Message, Sample
from skillmill.data.text.measures import words
from skillmill.filters.config import SkillNamed
from skillmill.filters.rows.form import WORDS
from skillmill.filters.rows.leak import skill_named
from skillmill.filters.rows.missing_material import lacks_material
from skillmill.generators.conversation import (
    ANY_TEXT,
    PROMPTS,
    SHORT_REMARK,
    Asking,
    answer_sampling,
    assistant,
    copies,
    described,
    is_short,
    system,
    text_schema,
    user,
)
from skillmill.generators.examples import InstructionExample, worked_examples
from skillmill.generators.parsing import is_true, string_field, unquoted
from skillmill.generators.targets import aimed
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Reply, Sampling, Teacher
from skillmill.teachers.prompts import Prompts, shipped
from skillmill.teachers.structured import clean, object_schema

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


Refine = Literal["always", "needed"]


@dataclass(frozen=True)
class InstructSkillMix:
    """One instruction per cell; response, critique and refinement once per generation.

    `refine` "needed": where the critique calls a whole draft good enough, the draft is the answer. `rewrite`: a final
    answer that the token limit cut off is asked for once more, shorter; null is yes in the long form alone.
    `ask_again`: how many times more an instruction is asked for, with another seed, while it names one of its skills
    or is about a text that it does not bring along.
    A cell with a parent has that instruction changed instead of a new one made (generators/evolution.py).
    """

    sampling: Sampling
    generations: int = 1
    refine: Refine = "always"
    rewrite: bool | None = None
    ask_again: int = 0
    templates: Prompts = field(default_factory=lambda: shipped(FOLDER))
    kind: str = field(default="instruct_skill_mix", init=False)

    @property
    def prompts(self) -> str:
        return self.templates.fingerprint

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation; a single one where the instruction cannot be used.

        The tokens of the instruction are counted in generation 0. Raises `RequestFailed` where the teacher gave no reply.
        """
        asking = Asking(teacher, self.sampling)
        parts, reply = await self._instruction(cell, asking)
        reasons = self._unusable(parts, cell)
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

    def _unusable(self, parts: list[str], cell: Cell) -> tuple[Reason, ...]:
        if any(self.copies_an_example(part) for part in parts):
            return (Reason.PROMPT_COPY,)
        unchanged = cell.parent is not None and words(" ".join(parts)) == words(cell.parent.instruction)
        return (Reason.UNCHANGED,) if unchanged else ()

    async def _instruction(self, cell: Cell, asking: Asking) -> tuple[list[str], Reply]:
        """The parts of the instruction, none where it cannot be read, and the reply that they are in."""
        messages, schema = self.instruction_messages(cell), instruction_schema(cell, self.sampling)
        for attempt in range(self.ask_again + 1):
            seed = derived_seed(cell.seed, "instruction", *([attempt] if attempt else []))
            reply = await asking.chat(messages, seed, "instruction", schema)
            parts = read_parts(clean(reply.text), list(schema["properties"]))
            if not will_be_rejected(" ".join(parts), cell):
                break
        return parts, reply

    async def _answered(self, cell: Cell, asking: Asking, parts: list[str], generation: int) -> Sample:
        seed = derived_seed(cell.seed, generation)
        length = answer_length(self.sampling, cell, len(parts))
        skills = [described(skill) for skill in cell.skills]
        whole = {"skills": skills, "length": length, "language": cell.language}
        about = [{**whole, "skills": [skill]} for skill in skills] if len(parts) > 1 else [whole]
        instruction = " ".join(parts)
        drafts = [await self._answer(asking, "response", i, parts, about, seed) for i in range(len(parts))]
        draft = joined(drafts)
        critiquing = [
            system(self._answering("response", whole)),
            user(instruction),
            assistant(draft),
            user(self.templates.render("critique", decide=self.refine == "needed")),
        ]
        said = await asking.chat(critiquing, derived_seed(seed, "critique"), "critique", self._critique_schema())
        critique = clean(said.text)
        final = drafts
        refined = self.refine == "always" or how_ended(drafts) != "stop" or not is_true(critique, "good_enough")
        if refined and not is_short(self.sampling):  # in the same conversation: the engine has its beginning cached
            revise = user(self.templates.render("revise", instruction=instruction))
            revising = [*critiquing, assistant(critique), revise]
            final = [await self._written(asking, revising, derived_seed(seed, "refine", 0), "refine")]
        elif refined:
            strengths, weaknesses = read_critique(critique)
            remarks = {"strengths": strengths, "weaknesses": weaknesses}
            notes = [{**shown, **remarks, "draft": reply.text} for shown, reply in zip(about, drafts, strict=True)]
            final = [await self._answer(asking, "refine", i, parts, notes, seed) for i in range(len(parts))]
        if self.rewrites:
            notes = [{**shown, "draft": reply.text} for shown, reply in zip(about, final, strict=True)]
            final = [
                await self._answer(asking, "rewrite", i, parts, notes, seed)
                if reply.finish_reason == "length"
                else reply
                for i, reply in enumerate(final)
            ]
        return Sample(
            instruction=instruction,
            response=joined(final),
            generation=generation,
            draft=draft if refined else None,
            critique=critique.strip(),
            finish_reason=how_ended(final),
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
        )

    async def _answer(
        self, asking: Asking, turn: str, i: int, parts: list[str], variables: list[dict[str, Any]], seed: int
    ) -> Reply:
        """What answers the i-th part, under the prompt `turn`."""
        messages = [system(self._answering(turn, variables[i])), user(parts[i])]
        return await self._written(asking, messages, derived_seed(seed, turn, i), turn)

    async def _written(self, asking: Asking, messages: list[Message], seed: int, turn: str) -> Reply:
        answering = replace(asking, sampling=answer_sampling(self.sampling))
        reply = await answering.chat(messages, seed, turn)
        text = clean(reply.text).strip()
        promised = is_short(self.sampling) and text.endswith(":")  # and our own `stop` cut it off
        return replace(reply, text=text, finish_reason="length" if promised else reply.finish_reason)

    def _answering(self, turn: str, variables: dict[str, Any]) -> str:
        return aimed(self.templates.render(turn, **variables), self.templates, "answer", language=variables["language"])

    @property
    def rewrites(self) -> bool:
        """Whether an answer that was cut off is asked for once more."""
        return not is_short(self.sampling) if self.rewrite is None else self.rewrite

    def _critique_schema(self) -> dict[str, Any]:
        remark = text_schema(self.sampling, SHORT_REMARK)
        decision = {"good_enough": {"type": "boolean"}} if self.refine == "needed" else {}
        return object_schema(strengths=remark, weaknesses=remark, **decision)

    def instruction_messages(self, cell: Cell) -> list[Message]:
        """The guidance, the worked examples as earlier turns, and the task; of an evolved cell, no worked examples."""
        about = {"query_type": kind_of_question(cell), "skills": cell.skills}
        if cell.parent:
            change = {"instruction": cell.parent.instruction, "operator": cell.parent.operator}
            opening, task = self._evolving, self.templates.render("evolve_task", **about, **change)
        else:
            opening, task = self._opening, self.templates.render("task", **about)
        length = cell.length and f"{cell.length}, {words_of(cell.length)}"
        targets = {"difficulty": cell.difficulty, "length": length, "language": cell.language}
        return [*opening, user(aimed(task, self.templates, "instruction", **targets))]

    @cached_property
    def _evolving(self) -> list[Message]:
        return [system(self.templates.render("evolve"))]

    @cached_property
    def _opening(self) -> list[Message]:
        short = is_short(self.sampling)
        messages = [system(self.templates.render("instruction", short=short))]
        for example in self.examples:
            task = self.templates.render("task", query_type=example.query_type, skills=example.skills)
            answer = example.short if short else {"instruction": example.full}
            messages += [user(task), assistant(orjson.dumps(answer).decode())]
        return messages

    @cached_property
    def examples(self) -> list[InstructionExample]:
        """The worked examples. Raises `ConfigError` where the user's own are none."""
        return worked_examples(self.templates, "examples", InstructionExample)

    def copies_an_example(self, instruction: str) -> bool:
        """Whether the instruction is taken from a worked example."""
        return copies(instruction, self._shown)

    @cached_property
    def _shown(self) -> list[str]:
        return [text for example in self.examples for text in (*example.short.values(), example.full)]

    def __post_init__(self) -> None:
        _ = self.examples  # complain before anything is asked


def instruction_schema(cell: Cell, sampling: Sampling) -> dict[str, Any]:
    """One text; in the short form one question for each skill, under its name, or the one that a parent becomes."""
    text = text_schema(sampling, QUESTION if cell.english else ANY_TEXT)
    by_skill = is_short(sampling) and cell.parent is None
    return object_schema(**({skill.name: text for skill in cell.skills} if by_skill else {"instruction": text}))


def read_parts(text: str, keys: list[str]) -> list[str]:
    """The texts under `keys` in a reply; empty where one is missing."""
    parts = [unquoted(string_field(text, key) or "") for key in keys]
    return parts if all(parts) else []


def kind_of_question(cell: Cell) -> str:
    """The query type for a prompt: its definition says more than its name."""
    about = cell.query_type
    return (about.definition.rstrip(".") or about.name) if about else "any"


def answer_length(sampling: Sampling, cell: Cell, parts: int) -> str:
    """How long the answer to each of `parts` may be, for a prompt, so that it fits `max_tokens` and the query type.

    Of the lengths that a cell may aim at, only short ones fit the short form (flows/config.py).
    """
    if cell.length and is_short(sampling):
        return f"one paragraph of {'one or two' if parts > 1 else 'two to four'} sentences, without a list"
    if cell.length:
        return words_of(cell.length)
    if is_short(sampling):
        much = cell.query_type is not None and cell.query_type.min_words > LITTLE * parts
        sentences = "five to seven" if much else "three to five" if parts == 1 else "two or three"
        return f"one paragraph of {sentences} sentences, without a list"
    return f"at most {min(LONGEST_ANSWER, sampling.max_tokens // 2)} words"


def words_of(length: str) -> str:
    """How many words an answer of the length has, for a prompt."""
    fewest, most = WORDS[length]
    return f"at most {most} words" if length == "short" else f"{fewest} to {most} words"


def read_critique(text: str) -> tuple[str, str]:
    """Strengths and weaknesses; a critique in another form is kept whole as what to change."""
    strengths, weaknesses = string_field(text, "strengths"), string_field(text, "weaknesses")
    return (strengths or "", weaknesses or "") if strengths or weaknesses else ("", text.strip())


def will_be_rejected(instruction: str, cell: Cell) -> bool:
    """Whether the filter `skill_named` or `missing_material` will reject the instruction, whatever its answer."""
    named = skill_named(Sample(instruction, ""), cell, SkillNamed())
    return bool(named.reasons) or lacks_material(instruction)


def joined(replies: list[Reply]) -> str:
    """The answers to the parts as one text."""
    return "\n\n".join(reply.text for reply in replies)


def how_ended(replies: list[Reply]) -> str:
    """The finish reason of the whole: "stop" where every part came to its end."""
    return next((reply.finish_reason for reply in replies if reply.finish_reason != "stop"), "stop")
