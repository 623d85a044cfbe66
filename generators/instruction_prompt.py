"""Turn 1 of Instruct-SkillMix: the messages that request an instruction, and the reading of the reply."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from skillmill.data.reasons import PROMPT_COPY, UNCHANGED, UNPARSABLE, Reason
from skillmill.data.records import Message
from skillmill.data.text.words import words
from skillmill.generators.answer_length import word_range
from skillmill.generators.conversation import (
    ANY_TEXT,
    assistant,
    copies_example,
    is_short_form,
    system,
    text_schema,
    user,
)
from skillmill.generators.examples import InstructionExample, read_examples
from skillmill.generators.parsing import instruction_parts
from skillmill.generators.targets import with_targets
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Reply, Sampling
from skillmill.teachers.prompts import Prompts
from skillmill.teachers.structured import clean, object_schema

QUESTION = (
    "^(How (can|do|should) (I|we|my)|What (is|are) the (best|easiest|safest|right|main|usual)|What should (I|we)|"
    "What happens (if|when)|Why (do|does|did|is|are)|Which (is|are|one|kind|way)|"
    r"Can you (explain|compare|describe|suggest|help me)) [^\"\\\n?.!]{15,200}[?]$"
)
"""Pattern of a question in the short form, for cells in English."""


@dataclass(frozen=True)
class InstructionPrompt:
    """The request for one instruction. Its reply holds the instruction in parts.

    The long form has one part. The short form has one part per skill, a question each: a small model writes about one
    skill at a time, and drops a skill if one question has to need two. A cell with a parent always has one part.
    """

    sampling: Sampling
    templates: Prompts

    def messages(self, cell: Cell) -> list[Message]:
        """Return the guidance, the worked examples as earlier turns, and the cell's task.

        A cell with a parent gets the guidance and the task of an evolution, and no worked examples.
        """
        variables = {"query_type": _query_type(cell), "skills": cell.skills}
        if cell.parent:
            change = {"instruction": cell.parent.instruction, "operator": cell.parent.operator}
            opening, task = self._evolution_opening, self.templates.render("evolve_task", **variables, **change)
        else:
            opening, task = self._opening, self.templates.render("task", **variables)
        length = cell.length and f"{cell.length}, {word_range(cell.length)}"
        targets = {"difficulty": cell.difficulty, "length": length, "language": cell.language}
        return [*opening, user(with_targets(task, self.templates, "instruction", **targets))]

    def schema(self, cell: Cell) -> dict[str, Any]:
        """Return the JSON schema of the reply, with one property per part."""
        text = text_schema(self.sampling, QUESTION if cell.english else ANY_TEXT)
        return object_schema(**dict.fromkeys(self._part_names(cell), text))

    def read(self, reply: Reply, cell: Cell) -> list[str]:
        """Return the parts of the instruction in a reply; [] if the reply cannot be parsed."""
        return instruction_parts(clean(reply.text), self._part_names(cell), reply.finish_reason != "length")

    def reasons(self, parts: list[str], cell: Cell) -> tuple[Reason, ...]:
        """Return why the instruction cannot be used: copied from an example, same as the parent, or unparsable."""
        if any(self.copies_example(part) for part in parts):
            return (PROMPT_COPY,)
        if cell.parent is not None and words(" ".join(parts)) == words(cell.parent.instruction):
            return (UNCHANGED,)
        return () if parts else (UNPARSABLE,)

    def copies_example(self, text: str) -> bool:
        """Return whether the text is copied from a worked example."""
        return copies_example(text, self._example_texts)

    @cached_property
    def examples(self) -> list[InstructionExample]:
        """The worked examples. Raises `ConfigError` if a user's prompt file holds no valid examples."""
        return read_examples(self.templates, "examples", InstructionExample)

    def _part_names(self, cell: Cell) -> list[str]:
        if is_short_form(self.sampling) and cell.parent is None:
            return [skill.name for skill in cell.skills]
        return ["instruction"]

    @cached_property
    def _evolution_opening(self) -> list[Message]:
        return [system(self.templates.render("evolve"))]

    @cached_property
    def _opening(self) -> list[Message]:
        short = is_short_form(self.sampling)
        messages = [system(self.templates.render("instruction", short=short))]
        for example in self.examples:
            task = self.templates.render("task", query_type=example.query_type, skills=example.skills)
            answer = example.short if short else {"instruction": example.full}
            messages += [user(task), assistant(orjson.dumps(answer).decode())]
        return messages

    @cached_property
    def _example_texts(self) -> list[str]:
        return [text for example in self.examples for text in (*example.short.values(), example.full)]


def _query_type(cell: Cell) -> str:
    """Return the definition of the cell's query type, which tells a model more than its name."""
    query_type = cell.query_type
    return (query_type.definition.rstrip(".") or query_type.name) if query_type else "any"
