"""The plan of a run: its cells, prompts and teacher. The fingerprint of the plan names its shards."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError
from skillmill.flows.config import Config
from skillmill.generators import evolution, targets
from skillmill.generators.base import Generator
from skillmill.generators.conversation import PROMPTS
from skillmill.generators.evolution import Evolutions, evolutions
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.skill_mix import SkillMix
from skillmill.generators.user_defined import user_generator
from skillmill.skill_taxonomy.draw.combinations import Combinations, ThemeKind
from skillmill.skill_taxonomy.taxonomy import Taxonomy, fingerprint
from skillmill.teachers.build import teacher_name
from skillmill.teachers.prompts import chosen_prompts

BUILT_IN: dict[str, type[SkillMix] | type[InstructSkillMix]] = {
    "skill_mix": SkillMix,
    "instruct_skill_mix": InstructSkillMix,
}


@dataclass(frozen=True)
class Plan:
    """A plan. `parts` has everything that the fingerprint covers by configuration key, so that changes can be named."""

    fingerprint: str
    parts: dict[str, str]
    combinations: Combinations | Evolutions
    generator: Generator

    @property
    def size(self) -> int:
        """The number of cells that the plan has."""
        cells = self.combinations
        return cells.size if isinstance(cells, Evolutions) else cells.survivors


def make_plan(config: Config, taxonomy: Taxonomy) -> Plan:
    """Return the plan of a configuration. Raises `ConfigError` if the space has fewer cells than the run needs."""
    generation = config.generation
    generator = configured_generator(config)
    cells = _cells(config, taxonomy, generator.kind)
    _check_room(config, cells)
    parts = {
        "generation.kind": generation.kind,
        "generation.k": _mixture(generation.k),
        "generation.weights": _json(generation.weights),
        "generation.categories": generation.categories,
        **({"generation.split": generation.split} if generation.split != "train" else {}),
        **({"generation.balance": "true"} if generation.balance else {}),
        **{f"generation.{name}": _json(shares) for name, shares in generation.targets.items()},
        **({"generation.evolve": cells.fingerprint} if isinstance(cells, Evolutions) else {}),
        "generation.generations": str(generation.generations),
        **{f"generation.{key}": str(value) for key, value in generation.options.items()},
        "seed": str(config.seed),
        "taxonomy": fingerprint(taxonomy),
        "prompts": generator.prompts,
        "teacher.model": teacher_name(config.teacher),
        "teacher.sampling": _json(config.teacher.sampling.model_dump()),
        "teacher.extra_body": _json(config.teacher.extra_body),
    }
    return Plan(hashlib.sha256(_json(parts).encode()).hexdigest()[:16], parts, cells, generator)


def changed_keys(before: object, plan: Plan) -> list[str]:
    """Return the configuration keys in which the plan differs from the `parts` of an earlier run."""
    if not isinstance(before, dict):
        return []
    return [key for key in {**plan.parts, **before} if before.get(key) != plan.parts.get(key)]


def plan_of_cells(config: Config, taxonomy: Taxonomy, fingerprint: str, parts: dict[str, str]) -> Plan:
    """Return an earlier plan with its fingerprint, the cells of its configuration, and the generator of today."""
    generator = configured_generator(config)
    return Plan(fingerprint, parts, _cells(config, taxonomy, generator.kind), generator)


def _cells(config: Config, taxonomy: Taxonomy, kind: str) -> Combinations | Evolutions:
    return _evolutions(config, taxonomy) if config.generation.evolve else _combinations(config, taxonomy, kind)


def _combinations(config: Config, taxonomy: Taxonomy, kind: str) -> Combinations:
    generation = config.generation
    theme: ThemeKind = "topic" if kind == "skill_mix" else "query_type"
    return Combinations(
        taxonomy,
        kind,
        theme,
        generation.k,
        config.seed,
        split=generation.split,
        weights=generation.weights,
        categories=generation.categories,
        balanced=generation.balance,
        targets=generation.targets,
    )


def _evolutions(config: Config, taxonomy: Taxonomy) -> Evolutions:
    evolve = config.generation.evolve
    assert evolve is not None
    if Path(evolve.parents).resolve() == config.output.resolve():
        raise ConfigError(f"generation.evolve.parents: expected another folder than output_dir, got {evolve.parents}")
    return evolutions(evolve, taxonomy, config.seed)


def _check_room(config: Config, cells: Combinations | Evolutions) -> None:
    generation = config.generation
    asked = generation.accepted or generation.samples or 0
    if isinstance(cells, Evolutions):
        size, space = cells.size, "the parents and operators of generation.evolve make"
    else:
        themes = f"{len(cells.themes)} {'topics' if cells.kind == 'skill_mix' else 'query types'}"
        size = cells.survivors
        space = f"k = {_mixture(generation.k)} of {len(cells.skills)} skills x {themes} has"
    if asked > size:
        key = "generation.accepted" if generation.accepted else "generation.samples"
        key = "generation.test" if generation.split == "test" else key
        raise ConfigError(f"{key}: {asked} cells asked for, but {space} {size}")


def configured_generator(config: Config) -> Generator:
    """Return the generator that `generation.kind` names. Raises `ConfigError` if there is none."""
    generation, sampling = config.generation, config.teacher.sampling
    kind = BUILT_IN.get(generation.kind)
    if kind is None:
        if ":" not in generation.kind:
            raise ConfigError(
                f"generation.kind: expected {', '.join(BUILT_IN)} or package.module:Class, got {generation.kind!r}"
            )
        return user_generator(generation.kind, Path(generation.path), sampling, generation.generations)
    aimed, evolved = bool(generation.targets or generation.evolve), bool(generation.evolve)
    folders = (PROMPTS / generation.kind, *[targets.FOLDER] * aimed, *[evolution.FOLDER] * evolved)
    templates = chosen_prompts(*folders, own=generation.prompts)
    options: dict[str, Any] = {**generation.options, "templates": templates}
    if kind is InstructSkillMix:  # decides by the row filters whether to request an instruction again; not in the plan
        options["filters"] = config.filters
    return kind(sampling, generation.generations, **options)


def _mixture(shares: dict[int, float]) -> str:
    return _json({str(k): share for k, share in shares.items()}) if len(shares) > 1 else str(next(iter(shares)))


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
