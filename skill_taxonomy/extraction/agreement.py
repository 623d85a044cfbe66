"""Lists on which several answers of a teacher agree: names, and query types with their definitions.

The same list is requested many times, and a name counts once two answers contain it (self-consistency, arXiv
2203.11171): a name that a teacher gives once may be a slip.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any

from skillmill.data.errors import TeacherError
from skillmill.skill_taxonomy.extraction.requests import strings_in
from skillmill.skill_taxonomy.extraction.saturation import Progress
from skillmill.skill_taxonomy.names import bad_name, stems, tidy_name
from skillmill.skill_taxonomy.taxonomy import QueryType

REQUESTS_PER_ROUND, MAX_ROUNDS = 6, 8
"""A list is requested `REQUESTS_PER_ROUND` times per round, in at most `MAX_ROUNDS` rounds."""

REQUESTS_PER_CATEGORY = 3
"""The number of requests per round for the query types of one category."""

MIN_VOTES = 2
"""The number of answers that have to contain a name before it counts."""

QUIET_ROUNDS = 2
"""The number of rounds without a new name after which a list is complete."""

MIN_SKILLS, MIN_TOPICS, MIN_QUERY_TYPES = 4, 2, 2
"""The sizes below which there is nothing to combine, so that the extraction fails."""

StemKey = tuple[str, ...]
"""The stems of a name, by which spellings of one name are counted together."""


def stem_key(name: str) -> StemKey:
    """Return the stems of a name, which are equal for spellings of one name."""
    return tuple(stems(name))


async def agreed_names(
    request: Callable[..., Awaitable[dict[str, Any] | None]],
    list_name: str,
    wanted: int,
    taken: Iterable[str],
    progress: Progress,
    bad: Callable[[str], str | None] = bad_name,
) -> list[str]:
    """Return at most `wanted` names that `MIN_VOTES` or more answers contain, the most frequent first.

    Args:
        request: Returns one answer with the key "names", for (list_name, round, number of the request).
        list_name: The name of the list, for progress and seeds.
        wanted: The number of names.
        taken: Names that are not returned, such as those in worked examples.
        progress: Called after each round.
        bad: Returns why a name cannot be used, or None if it can.
    """
    votes: Counter[StemKey] = Counter()
    spelling: dict[StemKey, str] = {stem_key(name): "" for name in taken}
    quiet = agreed = 0
    for attempt in range(MAX_ROUNDS):
        answers = await asyncio.gather(*(request(list_name, attempt, i) for i in range(REQUESTS_PER_ROUND)))
        for answer in answers:
            names = [tidy_name(name) for name in strings_in(answer, "names")]
            first_spelling = {stem_key(name): name for name in reversed(names) if not bad(name)}
            for key, name in reversed(first_spelling.items()):
                votes[key] += bool(spelling.setdefault(key, name))
        before, agreed = agreed, sum(count >= MIN_VOTES for count in votes.values())
        progress(list_name, (attempt + 1) * REQUESTS_PER_ROUND, agreed)
        quiet = 0 if agreed > before else quiet + 1
        if _is_complete(agreed, wanted, quiet):
            break
    return [spelling[key] for key, count in votes.most_common(wanted) if count >= MIN_VOTES]


async def most_named(
    request: Callable[..., Awaitable[list[QueryType]]],
    list_name: str,
    wanted: int,
    taken: Iterable[str],
    progress: Progress,
    requests_per_round: int = REQUESTS_PER_ROUND,
) -> list[QueryType]:
    """Return at most `wanted` query types, the most frequent in the answers first, none of them named as in `taken`.

    `request` returns the query types of one answer, for (list_name, round, number of the request).
    """
    votes: Counter[StemKey] = Counter()
    first: dict[StemKey, QueryType] = {}
    taken_keys = {stem_key(name) for name in taken}
    quiet = 0
    for attempt in range(MAX_ROUNDS):
        before = len(votes)
        answers = await asyncio.gather(*(request(list_name, attempt, i) for i in range(requests_per_round)))
        for query_type in (query_type for answer in answers for query_type in answer):
            key = stem_key(query_type.name)
            if key not in taken_keys:
                votes[key] += 1
                first.setdefault(key, query_type)
        progress(list_name, (attempt + 1) * requests_per_round, len(votes))
        quiet = 0 if len(votes) > before else quiet + 1
        if _is_complete(len(votes), wanted, quiet):
            break
    return [first[key] for key, _ in votes.most_common(wanted)]


def spread(lists: Sequence[Sequence[QueryType]], wanted: int, of_each: int) -> list[QueryType]:
    """Return the first `of_each` query types of each list, and more in turn while there are fewer than `wanted`.

    A list has the query types of one category. One that several lists have is returned once, without a category.
    """
    named_for: dict[StemKey, set[str | None]] = defaultdict(set)
    for query_type in chain.from_iterable(lists):
        named_for[stem_key(query_type.name)].add(query_type.category)
    found: dict[StemKey, QueryType] = {}
    for rank, of_rank in enumerate(zip_longest(*lists)):
        if rank >= of_each and len(found) >= wanted:
            break
        for query_type in filter(None, of_rank):
            key = stem_key(query_type.name)
            general = len(named_for[key]) > 1
            found.setdefault(key, query_type.model_copy(update={"category": None}) if general else query_type)
    return list(found.values())


def require_count(source: str, list_name: str, count: int, least: int, wanted: int) -> None:
    """Raise `TeacherError` if a list has fewer entries than a taxonomy needs."""
    if count < least:
        raise TeacherError(
            f"taxonomy.source: {source} named {count} usable {list_name} of {wanted} asked for, at least {least} are "
            "needed; try another seed or a larger teacher, or use builtin:language"
        )


def _is_complete(count: int, wanted: int, quiet: int) -> bool:
    """Return whether to stop requesting a list: it is long enough, or `quiet` rounds brought nothing new.

    A list with a single name goes on, because one name cannot be combined with another.
    """
    return count >= wanted or (count != 1 and quiet >= QUIET_ROUNDS)
