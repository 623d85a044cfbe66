"""What a run cost: calls, tokens and time per stage."""

import time
from dataclasses import asdict, dataclass, field

from skillmill.teachers.base import Reply, Request, Teacher, Temporary, TurnFailed


@dataclass(slots=True)
class StageUsage:
    """Totals of one stage; a retry is a call of its own.

    `seconds` sums over requests, so it exceeds wall time when several run at once.
    """

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Usage:
    """Totals per stage of what was really asked; replies out of the journal cost nothing and are not in it."""

    stages: dict[str, StageUsage] = field(default_factory=dict)

    def stage(self, name: str) -> StageUsage:
        return self.stages.setdefault(name, StageUsage())

    def total(self) -> StageUsage:
        total = StageUsage()
        for stage in self.stages.values():
            for key, value in asdict(stage).items():
                setattr(total, key, getattr(total, key) + value)
        return total

    def as_dict(self) -> dict[str, dict[str, float]]:
        return {name: asdict(stage) for name, stage in sorted(self.stages.items())}


class Counted:
    """A teacher whose requests are counted in `usage`."""

    def __init__(self, teacher: Teacher, usage: Usage) -> None:
        self.name = teacher.name
        self._teacher, self._usage = teacher, usage

    async def chat(self, request: Request) -> Reply:
        stage = self._usage.stage(request.stage)
        start = time.monotonic()
        try:
            reply = await self._teacher.chat(request)
        except (TurnFailed, Temporary):
            stage.failures += 1
            raise
        finally:
            stage.calls += 1
            stage.seconds += time.monotonic() - start
        stage.prompt_tokens += reply.prompt_tokens
        stage.cached_tokens += reply.cached_tokens
        stage.completion_tokens += reply.completion_tokens
        return reply
