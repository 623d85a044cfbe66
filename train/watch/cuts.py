"""How many answers `max_length` cuts.

TRL keeps the first `max_length` tokens of a conversation, with `truncation_mode: keep_end` the last ones, and leaves
out the rows of which no token of an answer is left. An answer without its end teaches the student not to end. Packing
with the strategies `bfd_split` and `wrapped` loses no token.
"""

from dataclasses import dataclass
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.train.job import Job
from skillmill.train.tokens.conversations import Sizes, sizes_of
from skillmill.train.watch.held_out import as_dataset

ANSWERS = ("completion", "chosen", "rejected")
"""The columns of answers. GRPO has none, because the student answers."""
STREAMED = 1000
"""The number of rows of a stream whose cuts are counted."""
LOSSLESS_PACKING = ("bfd_split", "wrapped")


@dataclass(frozen=True)
class Cuts:
    """What `max_length` does to the answers of a training.

    `answers`: all of them, of DPO chosen and rejected ones. `cut`: answers of trained rows that lost tokens.
    `left_out`: rows of which no answer is left. `longest`: the tokens of the longest conversation.
    """

    rows: int
    answers: int
    cut: int
    left_out: int
    longest: int

    @property
    def share(self) -> float:
        """The share of the answers that are cut or left out, from 0 to 1."""
        return (self.cut + self.left_out * (self.answers // self.rows)) / self.answers if self.answers else 0.0


def count_cuts(job: Job, trainer: Any, rows: Any) -> Cuts:
    """Return what the arguments of a TRL trainer did to the answers in `rows`, its dataset before TRL prepared it.

    Of a stream the first `STREAMED` rows are counted.
    """
    args = trainer.args
    packing = getattr(args, "packing", False)
    limit = None if packing and args.packing_strategy in LOSSLESS_PACKING else getattr(args, "max_length", None)
    keeps_end = getattr(args, "truncation_mode", None) == "keep_end" and not packing
    answers = [column for column in job.columns if column in ANSWERS]
    if not answers:
        return Cuts(len(rows), 0, 0, 0, 0)
    sizes = getattr(trainer, "row_sizes", None)
    if sizes is None:
        counted = as_dataset(rows.take(STREAMED)) if job.settings.streaming else rows
        sizes = sizes_of(counted, trainer.processing_class, answers)
    return cuts_of(sizes, limit, keeps_end, getattr(args, "completion_only_loss", None) is not False)


def cuts_of(sizes: Sizes, limit: int | None, keeps_end: bool, answer_only: bool) -> Cuts:
    """Return what a cut to `limit` tokens does to answers.

    `answer_only`: rows of which no answer is left are not trained on.
    """
    left = sizes.left(limit, keeps_end)
    emptied = (left.max(axis=1, initial=0) == 0) & answer_only & (limit is not None)
    cut = int((left < sizes.lengths - sizes.starts[:, None])[~emptied].sum())
    return Cuts(len(left), left.size, cut, int(emptied.sum()), int(sizes.lengths.max(initial=0)))


def check_cuts(job: Job, max_length: int | None, cuts: Cuts) -> None:
    """Raise `SkillmillError` if more than the share `max_cut` of the answers are cut or left out."""
    key = f"train.{job.stage}"
    if cuts.left_out == cuts.rows:
        raise SkillmillError(
            f"train: no row of {job.configuration!r} has room for an answer in {key}.args.max_length of {max_length} "
            f"tokens, expected {cuts.longest}, which cuts no answer"
        )
    if cuts.share > job.settings.max_cut:
        raise SkillmillError(
            f"{key}.args.max_length: {max_length} tokens cut {cuts.cut} of {cuts.answers} answers and leave out "
            f"{cuts.left_out} of {cuts.rows} rows, more than {key}.max_cut of {job.settings.max_cut:g} allows; "
            f"expected {cuts.longest}, which cuts no answer"
        )
