"""A generator with one request per cell and no parsing, so that a run with it shows the cost of the pipeline."""

import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from skillmill.data.records import Message, Sample
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.skill_mix import SkillMix
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Request, Sampling, Teacher


@dataclass(frozen=True)
class OneTurn:
    """Asks one question per cell. The marker `[row N]` in it lets the mock engine reject chosen rows."""

    sampling: Sampling
    generations: int = 1
    kind: str = "skill_mix"
    prompts: str = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        skills = ", ".join(skill.name for skill in cell.skills)
        question = f"Write a text about {cell.topic.name if cell.topic else 'anything'} that shows {skills}."
        messages: list[Message] = [{"role": "user", "content": f"{question} [row {cell.index}]"}]
        reply = await teacher.chat(Request(messages, self.sampling, cell.seed))
        return [
            Sample(
                instruction=question,
                response=reply.text,
                finish_reason=reply.finish_reason,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
            )
        ]


def write_cpu_seconds() -> None:
    """Write the CPU seconds of the process so far to standard error."""
    print(f"CPU seconds: {time.process_time()}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Timed(OneTurn):
    """The same, and writes the CPU seconds before each request."""

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        write_cpu_seconds()
        return await super().make(cell, teacher)


class TimedSkillMix(SkillMix):
    """Skill-Mix that writes the CPU seconds before the first request of each cell."""

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        write_cpu_seconds()
        return await super().make(cell, teacher)


class TimedInstruct(InstructSkillMix):
    """Instruct-SkillMix that writes the CPU seconds before the first request of each cell."""

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        write_cpu_seconds()
        return await super().make(cell, teacher)


@dataclass(frozen=True)
class OneAnswer(OneTurn):
    """The same for cells of Instruct-SkillMix, to whose rows the shirker score applies."""

    kind: str = "instruct_skill_mix"
