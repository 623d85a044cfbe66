"""Instruct-SkillMix (arXiv 2408.14774): an instruction that needs k skills, an answer, a critique, a refined answer.

The turns are those of the paper's released code, with prompts of our own. In the short form, for small models and token
budgets, the instruction has one question per skill, and each question is answered in a paragraph of its own.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from skillmill.data.reasons import Reason
from skillmill.data.records import Message, Sample
from skillmill.filters.config import FiltersConfig
from skillmill.filters.invented_turns import without_invented_turns
from skillmill.generators.answer_length import answer_length
from skillmill.generators.conversation import (
    PROMPTS,
    SHORT_REMARK,
    CountingTeacher,
    answer_sampling,
    assistant,
    definition_or_name,
    is_short_form,
    lost_to_thinking,
    system,
    text_schema,
    thinking_of,
    user,
)
from skillmill.generators.instruction_check import is_rejected
from skillmill.generators.instruction_prompt import InstructionPrompt
from skillmill.generators.parsing import is_true, strengths_and_weaknesses
from skillmill.generators.targets import with_targets
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Reply, Sampling, Teacher
from skillmill.teachers.prompts import Prompts, shipped
from skillmill.teachers.structured import clean, object_schema

FOLDER = PROMPTS / "instruct_skill_mix"

Refine = Literal["always", "needed"]
RefineAfter = Literal["draft", "critique"]
Variables = dict[str, Any]


@dataclass(frozen=True)
class InstructSkillMix:
    """Generator of one instruction per cell, and of answer, critique and refined answer once per generation.

    `refine` "needed": a draft that its critique calls good enough is the final answer. `refine_after`: the turn that
    turn 4 of the long form continues, see `_refine`; "critique" is the order of the paper. `rewrite`: a final answer
    that reached the token limit is requested once more, shorter; null enables this in the long form only. `ask_again`:
    how often an instruction is requested again, with another seed, while one of the `filters` for instructions rejects
    it (see instruction_check.py). The filters are not part of the plan.

    For a cell with a parent, turn 1 changes the parent's instruction (see evolution.py).
    """

    sampling: Sampling
    generations: int = 1
    refine: Refine = "always"
    refine_after: RefineAfter = "draft"
    rewrite: bool | None = None
    ask_again: int = 0
    templates: Prompts = field(default_factory=lambda: shipped(FOLDER))
    filters: FiltersConfig = field(default_factory=FiltersConfig)
    kind: str = field(default="instruct_skill_mix", init=False)

    @property
    def prompts(self) -> str:
        """The fingerprint of the prompt files."""
        return self.templates.fingerprint

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """Return one sample per generation, or a single one without answer if the instruction cannot be used.

        The tokens of turn 1 are counted in generation 0. Raises `RequestFailed` if a request gets no reply.
        """
        counting = CountingTeacher(teacher, self.sampling)
        parts, reply = await self._request_instruction(cell, counting)
        reasons = self.instruction.reasons(parts, cell)
        if reasons:
            return [_unusable(parts, reply, () if reply.lost_to_thinking else reasons, counting)]
        samples = []
        for generation in range(self.generations):
            samples.append(await self._sample(_task(cell, parts, generation, counting), generation))
            counting = CountingTeacher(teacher, self.sampling)
        return samples

    async def _sample(self, task: "_Task", generation: int) -> Sample:
        """Return the sample of one generation: turns 2 to 4."""
        conversation, drafts = await self._respond(task)
        critique_messages, critique = await self._critique(task, conversation)
        refines = self._needs_refinement(drafts, critique)
        answers = await self._refine(task, drafts, conversation, critique_messages, critique) if refines else drafts
        if self.rewrites:
            answers = await self._rewrite(task, answers)
        return Sample(
            instruction=task.instruction,
            response=_joined(answers),
            generation=generation,
            draft=_joined(drafts) if refines else None,
            critique=critique.strip(),
            explanation=next(filter(None, (lost_to_thinking(each, self.sampling) for each in answers)), None),
            finish_reason=_finish_reason(answers),
            draft_finish_reason=_finish_reason(drafts) if refines else None,
            thinking=thinking_of(*answers),
            draft_thinking=thinking_of(*drafts) if refines else None,
            prompt_tokens=task.counting.tokens.prompt_tokens,
            completion_tokens=task.counting.tokens.completion_tokens,
        )

    async def _request_instruction(self, cell: Cell, counting: CountingTeacher) -> tuple[list[str], Reply]:
        """Turn 1: return the parts of the instruction, [] if the reply is unusable, and the last reply."""
        messages, schema = self.instruction.messages(cell), self.instruction.schema(cell)
        for attempt in range(self.ask_again + 1):
            seed = derived_seed(cell.seed, "instruction", *([attempt] if attempt else []))
            reply = await counting.chat(messages, seed, "instruction", schema)
            parts = self.instruction.read(reply, cell)
            if not is_rejected(" ".join(parts), cell, self.filters):
                break
        return parts, reply

    async def _respond(self, task: "_Task") -> tuple[list[Message], list[Reply]]:
        """Turn 2: return the conversation of all questions and drafts, and the drafts, one for each part."""
        conversation = [system(self._answer_prompt("response", task.whole))]
        drafts: list[Reply] = []
        for i, part in enumerate(task.parts):
            conversation.append(user(part))
            drafts.append(await self._answer(task, conversation, derived_seed(task.seed, "response", i), "response"))
            conversation = [*conversation, assistant(drafts[-1].text)]
        return conversation, drafts

    async def _critique(self, task: "_Task", conversation: list[Message]) -> tuple[list[Message], str]:
        """Turn 3: return the conversation up to the critique, and the critique."""
        decide = self.refine == "needed"
        request = self.templates.render("critique", decide=decide, short=is_short_form(self.sampling))
        messages = [*conversation, user(request)]
        remark = text_schema(self.sampling, SHORT_REMARK)
        decision = {"good_enough": {"type": "boolean"}} if decide else {}
        schema = object_schema(strengths=remark, weaknesses=remark, **decision)
        reply = await task.counting.chat(messages, derived_seed(task.seed, "critique"), "critique", schema)
        return messages, clean(reply.text)

    def _needs_refinement(self, drafts: list[Reply], critique: str) -> bool:
        return self.refine == "always" or _finish_reason(drafts) != "stop" or not is_true(critique, "good_enough")

    async def _refine(
        self,
        task: "_Task",
        drafts: list[Reply],
        conversation: list[Message],
        critique_messages: list[Message],
        critique: str,
    ) -> list[Reply]:
        """Turn 4: return the refined answers, one for the whole instruction in the long form.

        The long form continues a conversation whose beginning is in the engine's prefix cache: that of turn 2, with the
        critique as remarks in the user's message, or that of turn 3, in which the teacher has written the critique
        itself and small models tend to write another one. The short form has a new conversation per part.
        """
        strengths, weaknesses = strengths_and_weaknesses(critique)
        remarks = {"strengths": strengths, "weaknesses": weaknesses}
        if not is_short_form(self.sampling):
            if self.refine_after == "draft":
                improve = self.templates.render("improve", instruction=task.instruction, **remarks)
                messages = [*conversation, user(improve)]
            else:
                revise = self.templates.render("revise", instruction=task.instruction)
                messages = [*critique_messages, assistant(critique), user(revise)]
            return [await self._answer(task, messages, derived_seed(task.seed, "refine", 0), "refine")]
        return [
            await self._answer_part(task, "refine", i, {**task.whole, **remarks, "draft": draft.text})
            for i, draft in enumerate(drafts)
        ]

    async def _rewrite(self, task: "_Task", answers: list[Reply]) -> list[Reply]:
        """Return the answers, with each one that reached the token limit replaced by a shorter one."""
        return [
            await self._answer_part(task, "rewrite", i, {**part, "draft": answer.text})
            if answer.finish_reason == "length"
            else answer
            for i, (part, answer) in enumerate(zip(task.of_parts, answers, strict=True))
        ]

    async def _answer_part(self, task: "_Task", turn: str, i: int, variables: Variables) -> Reply:
        """Return the answer to the i-th part in a new conversation, with the prompt `turn` as its system message."""
        messages = [system(self._answer_prompt(turn, variables)), user(task.parts[i])]
        return await self._answer(task, messages, derived_seed(task.seed, turn, i), turn)

    async def _answer(self, task: "_Task", messages: list[Message], seed: int, turn: str) -> Reply:
        reply = await replace(task.counting, sampling=answer_sampling(self.sampling)).chat(messages, seed, turn)
        whole = clean(reply.text).strip()
        text = without_invented_turns(whole, task.instruction)
        if text != whole:
            reply = replace(reply, finish_reason="stop")  # the answer ended before the turns that followed it
        # In the short form a final colon announces a list that `stop` cut off.
        is_cut_off = is_short_form(self.sampling) and text.endswith(":")
        return replace(reply, text=text, finish_reason="length" if is_cut_off else reply.finish_reason)

    def _answer_prompt(self, turn: str, variables: Variables) -> str:
        prompt = self.templates.render(turn, **variables)
        return with_targets(prompt, self.templates, "answer", language=variables["language"])

    @property
    def rewrites(self) -> bool:
        """Whether a final answer that reached the token limit is requested once more."""
        return not is_short_form(self.sampling) if self.rewrite is None else self.rewrite

    @cached_property
    def instruction(self) -> InstructionPrompt:
        """The request for an instruction, turn 1."""
        return InstructionPrompt(self.sampling, self.templates)

    def __post_init__(self) -> None:
        _ = self.instruction.examples  # raise `ConfigError` before the first request


@dataclass(frozen=True)
class _Task:
    """Input of turns 2 to 4: the instruction in parts, and the variables of the answer prompts.

    `whole` are the variables for an answer to the whole instruction, `of_parts` those for an answer to each part.
    """

    parts: list[str]
    whole: Variables
    of_parts: list[Variables]
    seed: int
    counting: CountingTeacher

    @property
    def instruction(self) -> str:
        return " ".join(self.parts)


def _task(cell: Cell, parts: list[str], generation: int, counting: CountingTeacher) -> _Task:
    skills = [definition_or_name(skill) for skill in cell.skills]
    length = answer_length(counting.sampling, cell, len(parts))
    whole: Variables = {"skills": skills, "length": length, "language": cell.language}
    of_parts = [{**whole, "skills": [skill]} for skill in skills] if len(parts) > 1 else [whole]
    return _Task(parts, whole, of_parts, derived_seed(cell.seed, generation), counting)


def _unusable(parts: list[str], reply: Reply, reasons: tuple[Reason, ...], counting: CountingTeacher) -> Sample:
    return Sample(
        instruction=" ".join(parts),
        response="",
        draft=clean(reply.text),
        explanation=lost_to_thinking(reply, counting.sampling),
        finish_reason=reply.finish_reason,
        prompt_tokens=counting.tokens.prompt_tokens,
        completion_tokens=counting.tokens.completion_tokens,
        reasons=reasons,
    )


def _joined(replies: list[Reply]) -> str:
    """Return the answers to all parts as one text."""
    return "\n\n".join(reply.text for reply in replies)


def _finish_reason(replies: list[Reply]) -> str:
    """Return "stop" if every reply ended by itself, else the first other finish reason."""
    return next((reply.finish_reason for reply in replies if reply.finish_reason != "stop"), "stop")
