"""The cheapest generator there is: one question a cell. What it costs is what the pipeline costs."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Request, Sampling, Teacher


@dataclass(frozen=True)
class OneTurn:
    """`[row N]` in the question lets the mock engine refuse chosen rows."""

    sampling: Sampling
    generations: int = 1
    kind: str = "skill_mix"
    prompts: str = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        skills = ", ".join(skill.name for skill in cell.skills)
        question = f"Write a text about {cell.topic.name if cell.topic else 'anything'} that shows {skills}."
        messages = [{"role": "user", "content": f"{question} [row {cell.index}]"}]
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
