"""The checks that drop a pair: unusable rejected answers, similar sides, and sides in doubtful order."""

from skillmill.data.reasons import PairReason
from skillmill.data.records import SampleRow, text_of
from skillmill.data.text.ngrams import jaccard, normal_words
from skillmill.filters.grading.comparison import is_preferred
from skillmill.filters.shirker.filter import Shirker
from skillmill.generators.pairs.config import PairsConfig
from skillmill.generators.pairs.sources import PairModels, RejectedAnswer, is_english
from skillmill.skill_taxonomy.cells import SKILL_MIX, derived_seed


def pair_margin(row: SampleRow, rejected: RejectedAnswer, shirker: Shirker | None) -> float | None:
    """Return by how much the chosen side is better: the difference of the grades, else of the shirker scores.

    The shirker model is calibrated for English answers to instructions. Without grades, the margin is None for other
    languages, for Skill-Mix texts, for an empty rejected answer, and without `shirker`.
    """
    if rejected.margin is not None or shirker is None:
        return rejected.margin
    if row["kind"] == SKILL_MIX or not is_english(row) or not rejected.text.strip():
        return None
    from skillmill.filters.shirker.model import effort_margin  # 20 ms; not every pair needs it

    return effort_margin(text_of(row["prompt"]), text_of(row["completion"]), rejected.text, shirker.model)


def check_texts(
    row: SampleRow, rejected: RejectedAnswer, margin: float | None, config: PairsConfig
) -> PairReason | None:
    """Return why the pair is dropped by its texts and its margin, without any request; None if it passes."""
    chosen = text_of(row["completion"])
    if not rejected.text.strip():
        return PairReason.EMPTY
    if rejected.is_cut_off:
        return PairReason.CUT_OFF
    if normal_words(rejected.text) == normal_words(chosen):
        return PairReason.IDENTICAL
    if jaccard(chosen, rejected.text) >= config.similarity:
        return PairReason.NEAR_IDENTICAL
    return PairReason.ORDER_DOUBTED if margin is not None and margin < -config.tolerance else None


async def check_order(
    source: str, row: SampleRow, rejected: RejectedAnswer, config: PairsConfig, models: PairModels
) -> PairReason | None:
    """Return why the pair is dropped by the grader; None if it prefers the chosen side or `check` is "never".

    Raises `RequestFailed` if the grader gives no reply.
    """
    if config.check == "never":
        return None
    grader = models.grader
    assert grader is not None
    instruction, chosen = text_of(row["prompt"]), text_of(row["completion"])
    seed = derived_seed(row["seed"], source, "check")
    preferred = await is_preferred(instruction, chosen, rejected.text, grader.teacher, grader.sampling, seed)
    if preferred is None:
        return PairReason.UNREADABLE
    return None if preferred else PairReason.ORDER_DOUBTED
