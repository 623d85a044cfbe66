"""How many answers `max_length` cuts.

TRL keeps the first `max_length` tokens of a conversation, with `truncation_mode: keep_end` the last ones, and leaves
out the rows of which no token of an answer is left. An answer without its end teaches the student not to end. Packing
with the strategies `bfd_split` and `wrapped` loses no token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.train.job import Job
from skillmill.train.rows.tokens import Tokens, answers_left, common_prefix

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
    if job.settings.streaming:
        rows = list(rows.take(STREAMED))
    if tokens := getattr(trainer, "row_tokens", None):
        return _cuts_of(tokens, limit, keeps_end, args.completion_only_loss is not False)
    cut = emptied = longest = 0
    for row in rows:
        asked, *whole = _token_ids(trainer.processing_class, row["prompt"], [row[column] for column in answers])
        start = min(common_prefix(asked, ids) for ids in whole)
        longest = max(longest, *map(len, whole))
        if limit is None or max(map(len, whole)) <= limit:
            continue
        left = [min(limit, len(ids) - start) if keeps_end else min(limit, len(ids)) - start for ids in whole]
        if max(left) <= 0 and getattr(args, "completion_only_loss", True):
            emptied += 1
        else:
            cut += sum(kept < len(ids) - start for kept, ids in zip(left, whole, strict=True))
    return Cuts(len(rows), len(rows) * len(answers), cut, emptied, longest)


def _cuts_of(tokens: Tokens, limit: int | None, keeps_end: bool, answer_only: bool) -> Cuts:
    """Return the cuts of SFT rows whose tokens are known."""
    left = answers_left(tokens.starts, tokens.lengths, limit, keeps_end)
    emptied = int((left == 0).sum()) if answer_only else 0
    cut = int((left < tokens.lengths - tokens.starts).sum()) - emptied
    rows = len(tokens.lengths)
    return Cuts(rows, rows, cut, emptied, int(tokens.lengths.max(initial=0)))


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


def _token_ids(tokenizer: Any, prompt: list[Any], answers: Sequence[list[Any]]) -> list[list[int]]:
    """Return the tokens of the prompt, and of the prompt with each answer, as TRL makes them."""
    encodings = [
        tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True),
        *(tokenizer.apply_chat_template(prompt + answer, return_dict=True) for answer in answers),
    ]
    return [list(encoding["input_ids"]) for encoding in encodings]
