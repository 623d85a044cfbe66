"""Evolution: each instruction of an earlier run is made harder or easier by one named operator.

The method follows the evolve step of eva (arXiv 2411.00062), whose operators make prompts harder, and BI-EVOL of
AgentGen (arXiv 2408.00764), which changes tasks in both directions. A cell of an evolution holds its parent's
instruction and the operator (`Parent`), and keeps the parent's skills and query type, and its length and language if
the earlier run had these targets. `InstructSkillMix` requests the changed instruction; all later turns are the same.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.local_files import joined
from skillmill.data.reasons import PROMPT_COPY, UNPARSABLE
from skillmill.data.records import SampleRow, text_of
from skillmill.data.store import sample_store
from skillmill.generators.conversation import PROMPTS
from skillmill.skill_taxonomy.cells import Cell, Parent, derived_seed
from skillmill.skill_taxonomy.draw.permutation import permutation
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, canonical

FOLDER = PROMPTS / "evolve"
KIND = "instruct_skill_mix"

Operator = Literal[
    "add_constraint", "deepen", "make_concrete", "add_condition", "drop_constraint", "narrow", "give_context"
]
"""The first four operators make an instruction harder, the others easier."""

REASONS_WITHOUT_INSTRUCTION = {UNPARSABLE, PROMPT_COPY}
"""A row with one of these reasons has no instruction of its own, so it cannot be a parent."""

_COLUMNS = "id plan index generation kind skills query_type length language prompt verdict reasons split".split()

Named = TypeVar("Named")


class EvolveConfig(BaseModel):
    """`parents` is the `output_dir` of the earlier run, `verdict` selects its rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parents: Annotated[str, Field(min_length=1)]
    verdict: Literal["accepted", "rejected", "any"] = "accepted"
    operators: Annotated[tuple[Operator, ...], Field(min_length=1)] = get_args(Operator)

    def relative_to(self, folder: Path) -> "EvolveConfig":
        """Return the settings with `parents` resolved relative to `folder`, the folder of the configuration file."""
        return self.model_copy(update={"parents": joined(folder, self.parents)})


class Evolutions:
    """The cells of an evolution: every parent once with every operator, in a seeded order.

    `evolutions[i]` is the i-th cell. The class has the interface of `Combinations`, but holds all parents in memory.
    """

    def __init__(self, parents: Sequence[Cell], operators: Sequence[Operator], seed: int) -> None:
        self._parents, self._operators, self._seed = parents, sorted(set(operators)), seed
        self.size = len(parents) * len(self._operators)
        self._order = permutation(self.size, "evolve", seed)

    @property
    def skills(self) -> tuple[Skill, ...]:
        """The distinct skills of all parents."""
        return tuple({skill.name: skill for cell in self._parents for skill in cell.skills}.values())

    @property
    def survivors(self) -> int:
        """The number of cells, since no rule excludes any."""
        return self.size

    @property
    def space(self) -> dict[int, int]:
        """The number of cells per k."""
        count = Counter(cell.k for cell in self._parents)
        return {k: count[k] * len(self._operators) for k in sorted(count)}

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the parents' row ids and instructions, and the operators."""
        parents = [(cell.parent.row, cell.parent.instruction) for cell in self._parents if cell.parent]
        return hashlib.sha256(orjson.dumps([parents, self._operators])).hexdigest()[:16]

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside the plan's {self.size} cells")
        parent_index, operator_index = divmod(self._order[index], len(self._operators))
        cell = self._parents[parent_index]
        assert cell.parent is not None
        return replace(
            cell,
            index=index,
            seed=derived_seed(self._seed, "evolve", index),
            parent=replace(cell.parent, operator=self._operators[operator_index]),
        )

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells from position `start` to the end."""
        return map(self.__getitem__, range(start, self.size))


def evolutions(config: EvolveConfig, taxonomy: Taxonomy, seed: int) -> Evolutions:
    """Return the cells of the configured evolution. Raises `ConfigError` if the earlier run has no usable rows."""
    parents = read_parents(Path(config.parents), config.verdict, taxonomy)
    if not parents:
        verdict = "" if config.verdict == "any" else f"{config.verdict} "
        raise ConfigError(
            f"generation.evolve.parents: expected the output_dir of a run of kind {KIND} with {verdict}rows, "
            f"found none in {config.parents}"
        )
    return Evolutions(parents, config.operators, seed)


def read_parents(output: Path, verdict: str, taxonomy: Taxonomy) -> list[Cell]:
    """Return a cell for each cell of the run in `output` that has a row of that verdict ("any" takes both).

    `parent` of the returned cell holds the id and the instruction of the first such row, and no operator yet.
    Raises `ConfigError` for a skill or query type that is not in the taxonomy, `StoreError` for a damaged shard.
    """
    store, parents = sample_store(output), dict[tuple[str, int], Cell]()
    skills = {canonical(skill.name): skill for skill in taxonomy.skills}
    query_types = {canonical(query_type.name): query_type for query_type in taxonomy.query_types}

    def look_up(entries: dict[str, Named], name: str, noun: str) -> Named:
        if canonical(name) not in entries:
            raise ConfigError(f"generation.evolve.parents: the taxonomy has no {noun} {name!r} of the rows in {output}")
        return entries[canonical(name)]

    for table in store.tables(dict.fromkeys(shard.plan for shard in store.shards), _COLUMNS):
        for row in table.to_pylist():
            key = (row["plan"], row["index"])
            if key in parents or not _is_parent(row, verdict):
                continue
            parents[key] = Cell(
                KIND,
                row["index"],
                tuple(look_up(skills, name, "skill") for name in row["skills"]),
                None,
                look_up(query_types, row["query_type"], "query type") if row["query_type"] else None,
                0,
                row["split"],
                length=row["length"],
                language=row["language"],
                parent=Parent(row["id"], text_of(row["prompt"]), ""),
            )
    return list(parents.values())


def _is_parent(row: SampleRow, verdict: str) -> bool:
    has_verdict = verdict in ("any", row["verdict"])
    return (
        row["kind"] == KIND
        and bool(row["prompt"])
        and has_verdict
        and REASONS_WITHOUT_INSTRUCTION.isdisjoint(row["reasons"])
    )
