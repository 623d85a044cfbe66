"""Preference pairs: an accepted answer and a rejected answer to the same prompt.

Every source gives one row per accepted row. A row whose source has no usable answer has a `PairReason` instead, so that
dropped pairs are counted.
"""

from collections.abc import Sequence

from skillmill.data.reasons import PairReason
from skillmill.data.records import PairRow, SampleRow, pair_id, text_of
from skillmill.data.text.words import count_words
from skillmill.filters.shirker.filter import Shirker
from skillmill.generators.pairs.checks import check_order, check_texts, pair_margin
from skillmill.generators.pairs.config import PairsConfig
from skillmill.generators.pairs.sources import SOURCES, PairModels, RejectedAnswer
from skillmill.teachers.base import RequestFailed


async def build_pairs(
    row: SampleRow, cell: Sequence[SampleRow], config: PairsConfig, shirker: Shirker | None, models: PairModels
) -> list[PairRow]:
    """Return a pair row for each configured source of an accepted row: the pair, or the reason why it is dropped.

    `cell` has all rows of the accepted row's cell, the row itself included. `shirker` selects the shirker model;
    None leaves out the margins that it would give.
    """
    return [await _pair(source, row, cell, config, shirker, models) for source in config.sources]


async def _pair(
    source: str,
    row: SampleRow,
    cell: Sequence[SampleRow],
    config: PairsConfig,
    shirker: Shirker | None,
    models: PairModels,
) -> PairRow:
    rejected, margin = RejectedAnswer(""), None
    reason: PairReason | None
    try:
        answer = await SOURCES[source].find(row, cell, models)
        if isinstance(answer, PairReason):
            reason = answer
        else:
            rejected, margin = answer, pair_margin(row, answer, shirker)
            reason = check_texts(row, rejected, margin, config) or await check_order(
                source, row, rejected, config, models
            )
    except RequestFailed:
        reason = PairReason.NO_REPLY
    return {
        "id": pair_id(row["id"], source),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": rejected.text}] if rejected.text else [],
        "chosen_source": SOURCES[source].chosen_source,
        "rejected_source": source,
        "margin": margin,
        "row": row["id"],
        "chosen_words": count_words(text_of(row["completion"])),
        "rejected_words": count_words(rejected.text),
        "reason": None if reason is None else str(reason),
    }
