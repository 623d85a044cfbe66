"""Evolution: the instructions of an earlier run, each made harder or easier by one named operator.

After eva (papers.md 6.3), whose operators only make prompts harder, and AgentGen (6.11), which goes both ways. Skills
and query type stay, and so do length and language where the earlier run aimed at them. What a cell comes from stands
in it (`Parent`); `InstructSkillMix` asks for such a cell's instruction in another way and for all that follows as ever.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field

from skillmill.data.errors import ConfigError
from skillmill.data.reasons import Reason
from skillmill.data.records import text_of
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
"""The first four make an instruction harder, the others easier."""

NO_PARENTS = {Reason.UNPARSABLE, Reason.PROMPT_COPY}
"""Of rows with these reasons the instruction is none of their own."""

_COLUMNS = "id plan index generation kind skills query_type length language prompt verdict reasons split".split()


class EvolveConfig(BaseModel):
    """`parents` is the `output_dir` of the earlier run, `verdict` which of its rows to take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parents: Annotated[str, Field(min_length=1)]
    verdict: Literal["accepted", "rejected", "any"] = "accepted"
    operators: Annotated[tuple[Operator, ...], Field(min_length=1)] = get_args(Operator)

    def relative_to(self, folder: Path) -> "EvolveConfig":
        return self.model_copy(update={"parents": str(folder / Path(self.parents).expanduser())})


class Evolutions:
    """`evolutions[i]` is the i-th cell: every parent with every operator once, in an order of the seed's.

    Takes the place of `Combinations`; unlike it, the parents lie in memory.
    """

    def __init__(self, parents: Sequence[Cell], operators: Sequence[Operator], seed: int) -> None:
        self._parents, self._operators, self._seed = parents, sorted(set(operators)), seed
        self.size = len(parents) * len(self._operators)
        self._order = permutation(self.size, "evolve", seed)

    @property
    def skills(self) -> tuple[Skill, ...]:
        """Those of the parents, each once."""
        return tuple({skill.name: skill for cell in self._parents for skill in cell.skills}.values())

    @property
    def survivors(self) -> int:
        return self.size

    @property
    def space(self) -> dict[int, int]:
        """The number of cells per k."""
        count = Counter(cell.k for cell in self._parents)
        return {k: count[k] * len(self._operators) for k in sorted(count)}

    @cached_property
    def fingerprint(self) -> str:
        """Of all that is evolved: ids and instructions."""
        said = [(cell.parent.row, cell.parent.instruction) for cell in self._parents if cell.parent]
        return hashlib.sha256(orjson.dumps([said, self._operators])).hexdigest()[:16]

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside the plan's {self.size} cells")
        place, which = divmod(self._order[index], len(self._operators))
        cell = self._parents[place]
        assert cell.parent is not None
        return replace(
            cell,
            index=index,
            seed=derived_seed(self._seed, "evolve", index),
            parent=replace(cell.parent, operator=self._operators[which]),
        )

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """The cells from position `start` to the end."""
        return map(self.__getitem__, range(start, self.size))


def evolutions(config: EvolveConfig, taxonomy: Taxonomy, seed: int) -> Evolutions:
    """The cells that the configuration describes. Raises `ConfigError` where there is nothing to evolve."""
    parents = read_parents(Path(config.parents), config.verdict, taxonomy)
    if not parents:
        verdict = "" if config.verdict == "any" else f"{config.verdict} "
        raise ConfigError(
            f"generation.evolve.parents: expected the output_dir of a run of kind {KIND} with {verdict}rows, "
            f"found none in {config.parents}"
        )
    return Evolutions(parents, config.operators, seed)


def read_parents(output: Path, verdict: str, taxonomy: Taxonomy) -> list[Cell]:
    """A cell for each one of the run in `output` that has a row of that verdict, with what it was made from.

    Raises `ConfigError` for a skill or query type that the taxonomy does not have, `StoreError` for a damaged shard.
    """
    store, found = sample_store(output), dict[tuple[str, int], Cell]()
    skills = {canonical(skill.name): skill for skill in taxonomy.skills}
    query_types = {canonical(query_type.name): query_type for query_type in taxonomy.query_types}

    def known(table: dict[str, Any], name: str, what: str) -> Any:
        if canonical(name) not in table:
            raise ConfigError(f"generation.evolve.parents: the taxonomy has no {what} {name!r} of the rows in {output}")
        return table[canonical(name)]

    for table in store.tables(dict.fromkeys(shard.plan for shard in store.shards), _COLUMNS):
        for row in table.to_pylist():
            key = (row["plan"], row["index"])
            if key in found or not _is_parent(row, verdict):
                continue
            found[key] = Cell(
                KIND,
                row["index"],
                tuple(known(skills, name, "skill") for name in row["skills"]),
                None,
                known(query_types, row["query_type"], "query type") if row["query_type"] else None,
                0,
                row["split"],
                length=row["length"],
                language=row["language"],
                parent=Parent(row["id"], text_of(row["prompt"]), ""),
            )
    return list(found.values())


def _is_parent(row: dict[str, Any], verdict: str) -> bool:
    fits = row["kind"] == KIND and bool(row["prompt"]) and verdict in ("any", row["verdict"])
    return fits and NO_PARENTS.isdisjoint(row["reasons"])
