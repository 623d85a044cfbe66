"""The configuration: its whole schema, reading it from YAML, and errors of one line that name the key."""

import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from skillmill.data.errors import ConfigError
from skillmill.data.export.config import ExportConfig
from skillmill.data.inputs.local_files import joined
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml
from skillmill.data.remote.url import COPY, cache_folder, check_url, is_url
from skillmill.data.text.lengths import WORD_RANGES
from skillmill.filters.config import FiltersConfig
from skillmill.filters.grading.config import GradingConfig
from skillmill.filters.rows.language import LANGUAGES
from skillmill.flows.refresh.config import RefreshConfig, RetentionConfig
from skillmill.generators.evolution import EvolveConfig
from skillmill.generators.instruct_skill_mix import Refine, RefineAfter
from skillmill.generators.pairs.config import PairsConfig
from skillmill.generators.skill_mix import Order
from skillmill.skill_taxonomy.draw.targets import Difficulty, Length, Targets
from skillmill.skill_taxonomy.draw.thinning import CategoryMix
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.teachers.config import GraderConfig, TeacherConfig
from skillmill.teachers.middleware.accounting import Budget, Prices
from skillmill.train.config import TrainConfig
from skillmill.train.evaluation.config import EvaluateConfig

Kind = str
"""`skill_mix`, `instruct_skill_mix`, or `package.module:Class` for a user-defined generator."""

KIND_OPTIONS = {
    "skill_mix": ("turns", "order", "prompts"),
    "instruct_skill_mix": ("refine", "rewrite", "ask_again", "evolve", "prompts", "refine_after", "keep"),
}
OWN_OPTIONS = ("path",)
"""The keys of `generation` that a user-defined generator has; `KIND_OPTIONS` has those of the built-in ones."""


TARGETS = ("difficulty", "length", "language")
Share = Annotated[float, Field(gt=0, le=1)]


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GenerationConfig(Section):
    """The `generation` section.

    `samples` counts cells, `accepted` counts cells with an accepted row, `shard_rows` limits the rows of a shard.
    `weights` by skill and `categories` change the draw, see `Combinations`; `balance` draws each query type (topic)
    equally often. `difficulty`, `length` and `language` are shares of the cells; null leaves the target out of the
    prompts. `path` is the folder of a user-defined generator. `turns` and `order` are options of `SkillMix`; `refine`,
    `refine_after`, `rewrite` and `ask_again` are options of `InstructSkillMix`. `keep`
    "passing": a draft that passes the filters takes the place of a refined answer that does not; it is not part of the
    plan. `test` counts cells of skills and topics that the taxonomy holds out for the split "test"; they have a plan of
    their own, which is the same with `split: test`.
    """

    kind: Kind = "instruct_skill_mix"
    path: str = "."
    prompts: str | None = Field(None, min_length=1)
    turns: Literal[1, 2] = 2
    order: Order = "limit_first"
    refine: Refine = "always"
    refine_after: RefineAfter = "draft"
    rewrite: bool | None = None
    ask_again: int = Field(0, ge=0, le=1)
    keep: Literal["passing", "final"] = "passing"
    k: dict[Annotated[int, Field(ge=1)], Share] = {2: 1.0}
    balance: bool = False
    difficulty: dict[Difficulty, Share] | None = None
    length: dict[Length, Share] | None = None
    language: dict[str, Share] | None = None
    evolve: EvolveConfig | None = None
    samples: int | None = Field(None, ge=1)
    accepted: int | None = Field(None, ge=1)
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    categories: CategoryMix = "any"
    generations: int = Field(1, ge=1)
    shard_rows: int = Field(1000, ge=1)
    split: Literal["train", "test"] = "train"
    test: int | None = Field(None, ge=1)

    @field_validator("k", mode="before")
    @classmethod
    def _one_k_is_a_mixture_of_one(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | dict):
            raise ValueError(f"expected a whole number or a mixture such as {{2: 0.5, 3: 0.5}}, got {value!r}")
        return {value: 1.0} if isinstance(value, int) else value

    @field_validator(*TARGETS, mode="before")
    @classmethod
    def _one_value_is_a_mixture_of_one(cls, value: object) -> object:
        return {value: 1.0} if isinstance(value, str) else value

    @field_validator("language")
    @classmethod
    def _languages_are_known(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for name in value or ():
            if name not in LANGUAGES:
                raise ValueError(f"expected {', '.join(LANGUAGES)}, got {name!r}")
        return value

    @field_validator("k", *TARGETS)
    @classmethod
    def _shares_sum_to_one(cls, value: dict[Any, float] | None) -> dict[Any, float] | None:
        if value is None:
            return None
        if not value or abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError(f"shares must sum to 1, these sum to {sum(value.values()):g}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _some_end(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("samples") is None and values.get("accepted") is None:
            return {**values, "samples": 200}
        return values

    @model_validator(mode="after")
    def _options_go_with_their_kind(self) -> "GenerationConfig":
        allowed = KIND_OPTIONS.get(self.kind, OWN_OPTIONS)
        for key in dict.fromkeys(chain(OWN_OPTIONS, *KIND_OPTIONS.values())):
            if key not in allowed and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key}: kind {self.kind} has no such option, its own are {', '.join(allowed)}")
        if self.order == "paper" and self.turns == 1:
            raise ValueError("order: paper tells the sentence limit in the second turn, expected turns: 2, got 1")
        return self

    @model_validator(mode="after")
    def _parents_bring_their_cells(self) -> "GenerationConfig":
        drawn = ("weights", "categories", "balance", *TARGETS)
        for key in (*drawn, "split", "test") if self.evolve else ():
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key}: says how cells are drawn, but with evolve they are those of evolve.parents")
        return self

    @property
    def targets(self) -> Targets:
        """The targets that are set, by name."""
        return {name: getattr(self, name) for name in TARGETS if getattr(self, name)}

    @property
    def shard_cells(self) -> int:
        """How many cells a full shard has."""
        return max(1, self.shard_rows // self.generations)

    @property
    def held_out(self) -> "GenerationConfig":
        """The section for the cells that `test` counts."""
        return self.model_copy(update={"split": "test", "test": None, "samples": self.test, "accepted": None})

    @property
    def options(self) -> dict[str, Any]:
        """The options of a built-in generator, without its prompts."""
        keys = KIND_OPTIONS.get(self.kind, ())
        return {key: getattr(self, key) for key in keys if key not in ("keep", "prompts", "evolve")}

    def relative_to(self, folder: Path) -> "GenerationConfig":
        """Return the section with its relative paths joined to `folder`, the folder of the configuration file."""
        own = self.kind not in KIND_OPTIONS
        path = joined(folder, self.path) if own else self.path
        prompts = self.prompts and joined(folder, self.prompts)
        evolve = self.evolve and self.evolve.relative_to(folder)
        return self.model_copy(update={"path": path, "prompts": prompts, "evolve": evolve})


class RunnerConfig(Section):
    """The `runner` section.

    `workers`: the processes of a local run, or the ranges that a cluster generates. `address`: of the cluster's
    scheduler; None starts a cluster on this machine.
    """

    kind: Literal["local", "ray", "dask"] = "local"
    workers: int | None = Field(None, ge=1)
    address: str | None = None

    @model_validator(mode="after")
    def _local_has_no_address(self) -> "RunnerConfig":
        if self.kind == "local" and self.address is not None:
            raise ValueError("address: kind local has no cluster, expected null")
        return self


class Config(Section):
    """The configuration of one run.

    Paths in a configuration file are relative to the file; `output_dir` is relative to the working directory.
    """

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\n\r]+$")] = "skillmill"
    seed: int = Field(42, ge=0, lt=2**32)  # what NumPy's and torch's generators take
    output_dir: str = Field("runs/demo", min_length=1)  # a path, or the URL of a folder on an object store
    work_dir: str | None = None
    taxonomy: TaxonomyConfig = TaxonomyConfig()
    teacher: TeacherConfig = TeacherConfig()
    grader: GraderConfig | None = None
    generation: GenerationConfig = GenerationConfig()
    filters: FiltersConfig = FiltersConfig()
    grading: GradingConfig = GradingConfig()
    pairs: PairsConfig = PairsConfig()
    export: ExportConfig = ExportConfig()
    refresh: RefreshConfig = RefreshConfig()
    retention: RetentionConfig = RetentionConfig()
    train: TrainConfig | None = None
    evaluate: EvaluateConfig | None = None
    prices: Prices | None = None
    budget: Budget = Budget()
    runner: RunnerConfig = RunnerConfig()

    @field_validator("taxonomy", mode="before")
    @classmethod
    def _a_name_is_a_source(cls, value: object) -> object:
        return {"source": value} if isinstance(value, str) else value

    @field_validator("output_dir")
    @classmethod
    def _a_url_names_a_folder(cls, value: str) -> str:
        return check_url(value) if is_url(value) else value

    @model_validator(mode="after")
    def _money_has_prices(self) -> "Config":
        if self.budget.money is not None and (self.prices is None or not any(self.prices.model_dump().values())):
            raise ValueError("budget.money: expected prices too, such as prices: {input: 0.15, output: 0.6}")
        return self

    @model_validator(mode="after")
    def _grades_are_compared_within_a_cell(self) -> "Config":
        if "low_grade" in self.pairs.sources and self.generation.generations < 2:
            raise ValueError(
                "pairs.sources: low_grade compares the answers of a cell, expected generation.generations of at least "
                f"2, got {self.generation.generations}"
            )
        return self

    @model_validator(mode="after")
    def _what_is_trained_on_is_exported(self) -> "Config":
        sft = self.train and self.train.sft
        if sft and sft.dataset == "stress" and self.export.stress is None:
            raise ValueError("train.sft.dataset: stress expects export.stress too, such as {kind: brevity, share: 0.2}")
        return self

    @model_validator(mode="after")
    def _answers_have_room_for_their_length(self) -> "Config":
        lengths, tokens = self.generation.length or {}, self.teacher.sampling.max_tokens
        for length in lengths if self.generation.kind == "instruct_skill_mix" else ():
            if tokens < 2 * (most := WORD_RANGES[length][1]):
                raise ValueError(
                    f"generation.length: a {length} answer has up to {most} words, expected "
                    f"teacher.sampling.max_tokens of at least {2 * most}, got {tokens}"
                )
        return self

    @property
    def output(self) -> Path:
        """The output directory; of a URL its copy on this machine, see `runtime/remote_output.py`."""
        return self.work / COPY if is_url(self.output_dir) else Path(self.output_dir)

    def place(self, path: Path) -> str:
        """Return a path in the output directory as the user knows it: a URL if `output_dir` is one."""
        if not is_url(self.output_dir) or not (here := path.resolve()).is_relative_to(root := self.output.resolve()):
            return str(path)
        return f"{self.output_dir}/{here.relative_to(root).as_posix()}".removesuffix("/.")

    @property
    def held_out(self) -> "Config":
        """The configuration for the cells that `generation.test` counts."""
        return self.model_copy(update={"generation": self.generation.held_out})

    @property
    def work(self) -> Path:
        """The work directory: journal, lock and indexes; of a URL also the copy of the output directory."""
        if self.work_dir:
            return Path(self.work_dir)
        return cache_folder(self.output_dir) if is_url(self.output_dir) else self.output / ".work"


def load_config(path: Path, overrides: list[str] | None = None) -> Config:
    """Read a configuration file and set the `key.path=value` overrides in it. Raises `ConfigError`."""
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, got {type(content).__name__}")
    for override in overrides or []:
        _override(content, override)
    config = parse_config(content, lambda location: _misread(path, location))
    return _with_paths_of(config, path.parent)


def parse_config(content: dict[str, Any], misread: Callable[[Location], str | None] = lambda _: None) -> Config:
    """Validate plain data. Raises `ConfigError` that names the key and what was expected.

    `misread` returns the reason if YAML made another value than text of the word at a location.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        location = error.errors(include_url=False)[0]["loc"]
        is_text_expected = "string_type" in {each["type"] for each in error.errors() if each["loc"][:1] == location[:1]}
        note = misread(location) if is_text_expected else None
        raise ConfigError(_complaint(error) + (f" ({note})" if note else "")) from None


def _misread(path: Path, location: Location) -> str | None:
    """Return the line of a configuration file where YAML made another value than text of a word, and the reason."""
    lines = LineNumbers(path.read_text(encoding="utf-8"))
    reason = lines.misread(location)
    return f"{path}:{lines[location]}: {reason}" if reason else None


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    location = first["loc"]
    if location[-1:] == ("[key]",):
        location = location[: -2 if first["type"] == "string_type" else -1]  # a key that is no text has no name
    where = key_prefix(location)
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key, expected one of {', '.join(_known_keys(first['loc'][:-1]))}"
    message = validation_message(first)
    if first["type"] == "value_error":
        names_a_key = where and re.match(r"[a-z_]+: ", message)
        return f"{where.removesuffix(': ')}.{message}" if names_a_key else f"{where}{message}"
    secret = {"headers", "base_url"} & set(first["loc"])
    given = "" if secret or isinstance(first["input"], dict) else f", got {_short(first['input'])}"
    return f"{where}{message}{given}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        if isinstance(part, int):  # of a list, whose kind of member is found already
            continue
        annotation = model.model_fields[part].annotation
        options = getattr(annotation, "__args__", (annotation,))
        model = next(option for option in options if isinstance(option, type) and issubclass(option, BaseModel))
    return list(model.model_fields)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override}: expected key.path=value")
    try:
        value = read_yaml(text, "")
    except ConfigError:
        raise ConfigError(f"--set {override}: the value is not YAML") from None
    *parents, last = key.strip().split(".")
    here = content
    for part in parents:
        child = here.get(part)
        if child is None or (isinstance(child, str) and part == "taxonomy"):
            child = {"source": child} if child else {}
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override}: {part} is not a section")
        here[part] = child
        here = child
    here[last] = value


def _with_paths_of(config: Config, folder: Path) -> Config:
    """Return the configuration with relative paths joined to `folder`, except `output_dir`."""
    config = config.model_copy(
        update={
            "taxonomy": config.taxonomy.relative_to(folder),
            "generation": config.generation.relative_to(folder),
            "teacher": config.teacher.relative_to(folder),
            "filters": config.filters.relative_to(folder),
            "grading": config.grading.relative_to(folder),
            "grader": config.grader and config.grader.relative_to(folder),
            "pairs": config.pairs.relative_to(folder),
            "train": config.train and config.train.relative_to(folder),
            "evaluate": config.evaluate and config.evaluate.relative_to(folder),
        }
    )
    if config.work_dir:
        config = config.model_copy(update={"work_dir": str(folder / config.work_dir)})
    return config
