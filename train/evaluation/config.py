"""The `evaluate:` block of the configuration. This module imports no torch, because every command imports it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from skillmill.data.inputs.local_files import joined
from skillmill.filters.grading.config import RubricName
from skillmill.teachers.base import Sampling
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import STUDENT_ENGINES, TRANSFORMERS
from skillmill.train.evaluation.instruct.config import InstructConfig

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(STUDENT_ENGINES)]  # a literal that is computed, which type checkers do not allow

Role = Literal["student", "baseline"]
SplitName = Literal["combinations", "skills", "topics", "skills_and_topics"]
"""What training has not seen: combinations of skills and topics that it saw apart, skills, topics, or both."""
GraderName = Literal["rule", "model", "both"]

LAST, BASE = "last", "base"
"""Names of students: the newest result in `train/`, and the model that it was trained from."""


class EvaluatedConfig(TeacherConfig):
    """The settings of a student; besides the engines of a teacher, `kind` can be `transformers`."""

    kind: Kind = TRANSFORMERS

    def relative_to(self, folder: Path) -> Self:
        """Return a copy whose relative paths are joined to `folder`; those of `transformers` are as those of `vllm`."""
        if self.kind != TRANSFORMERS:
            return super().relative_to(folder)
        joined = self.model_copy(update={"kind": "vllm"}).relative_to(folder)
        return joined.model_copy(update={"kind": self.kind})


class StudentModel(EvaluatedConfig):
    """The settings of `evaluate.student`."""

    section: ClassVar[str] = "evaluate.student"


class BaselineModel(EvaluatedConfig):
    """The settings of `evaluate.baseline`."""

    section: ClassVar[str] = "evaluate.baseline"


class PassUntilConfig(BaseModel):
    """Repeated sampling for small pass rates (PassUntil, arXiv 2310.03262).

    Texts of a cell are drawn until `passes` have full marks, or `tries` were drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    passes: int = Field(1, ge=1)
    tries: int = Field(20, ge=1)

    @model_validator(mode="after")
    def _tries_hold_the_passes(self) -> "PassUntilConfig":
        if self.tries < self.passes:
            raise ValueError(f"tries: expected at least passes, {self.passes}, got {self.tries}")
        return self


class CorpusConfig(BaseModel):
    """A corpus in numbers, for the bound "beyond stochastic parrots" (Skill-Mix, arXiv 2310.17567).

    `pieces`: texts of a few sentences in the corpus. `skill_rate` and `topic_rate`: the mean share of the pieces that
    show a skill or are about a topic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pieces: float = Field(gt=0)
    skill_rate: float = Field(gt=0, le=1)
    topic_rate: float = Field(gt=0, le=1)


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("expected at least one")
    return tuple(dict.fromkeys(values))


class EvaluateConfig(BaseModel):
    """The settings of `skillmill evaluate`.

    `student` and `baseline`: "last" for the newest result in `train/`, "base" for the model that it was trained from, a
    folder of a model or adapter, a GGUF file, a model in the local Hugging Face cache, or the settings of a model like
    those of `teacher`; no baseline if null. `engine` and `engine_args` are those of students that are given by name;
    `max_in_flight` and `sampling` those of every student that does not set its own. `taxonomy`: "builtin:NAME" or a
    file, null for that of the run. `samples`: cells for each k and split. `generations`: texts for each cell.
    `protocol`: "request" asks as the rows of a training do, "paper" in the two turns of Skill-Mix (arXiv 2310.17567).
    `grader`: "rule" by the rules of the skills, "model" by the model of `grader`, "both"; null is "rule" if every skill
    has one, else "model". `runs`: gradings of a text by the model. `prompts`: a folder of files that replace the
    grader's prompts. `naming`: when a skill that the text names loses its point, see `skill_names.Naming`. `common`:
    skills that most texts show, null for those of the taxonomy that are marked `common`. `instruct`: also compare the
    answers to held-out instructions of the export, see `InstructConfig`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    student: Annotated[str, Field(min_length=1)] | StudentModel = LAST
    baseline: Annotated[str, Field(min_length=1)] | BaselineModel | None = BASE
    engine: Literal["transformers", "vllm"] = "transformers"
    engine_args: dict[str, Any] = {}
    max_in_flight: int = Field(16, ge=1)
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=256)
    taxonomy: str | None = Field(None, min_length=1)
    splits: Annotated[tuple[SplitName, ...], AfterValidator(_each_once)] | None = None
    held_out: Literal["test", "validation"] = "test"
    k: Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_each_once)] = (1, 2, 3)
    samples: int = Field(100, ge=1)
    generations: int = Field(1, ge=1)
    protocol: Literal["request", "paper"] = "request"
    grader: GraderName | None = None
    runs: int = Field(1, ge=1)
    rubric: RubricName = "structured"
    prompts: str | None = Field(None, min_length=1)
    naming: Literal["substring", "words"] = "substring"
    common: tuple[str, ...] | None = None
    until: PassUntilConfig | None = None
    corpus: CorpusConfig | None = None
    instruct: InstructConfig | None = None
    bootstrap: int = Field(1000, ge=100, le=100_000)

    def relative_to(self, folder: Path) -> "EvaluateConfig":
        """Return the settings with paths that exist in `folder`, the folder of the configuration file, joined to it."""

        def resolved(value: Any) -> Any:
            if isinstance(value, TeacherConfig):
                return value.relative_to(folder)
            if not isinstance(value, str) or value in (LAST, BASE):
                return value
            path = folder / Path(value).expanduser()
            return str(path) if path.exists() else value

        update = {name: resolved(getattr(self, name)) for name in ("student", "baseline", "taxonomy")}
        update["prompts"] = self.prompts and joined(folder, self.prompts)
        return self.model_copy(update={**update, "instruct": self.instruct and self.instruct.relative_to(folder)})
