"""The row filter `shirker`: rejects answers of low effort by the calibrated model, without a request to a teacher."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell


class Shirker(RowFilter):
    """Rejects an answer whose form indicates low effort. Skill-Mix texts are too short to be checked."""

    reason = Reason("shirker", "the calibrated model over the answer's form sees low effort")
    signals = ("shirker_score",)
    english_only = True

    threshold: float | None = Field(0.995, gt=0, le=1)
    """The least score of a rejected answer. None: the model's own threshold, calibrated for precision on answers of
    large and small models. The default rejects less: by the model's own threshold, every answer of the embedded 135M
    teacher is rejected."""
    model: Path | None = None
    """A file written by `skillmill filters calibrate`. None: the shipped model."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; the signal `shirker_score` is the score in 0..1, 1 for the lowest effort.

        Skill-Mix texts have no score: one or two sentences by design, they are no answers to an instruction. If the
        cell requests a short answer, `BRIEF_SHARE` applies to the score.
        A row outside of what the model was trained on, see `outside`, is not judged and therefore not rejected.
        """
        return self.check_many([(sample, cell)])[0]

    def check_many(self, rows: Sequence[tuple[Sample, Cell]]) -> list[Verdict]:
        """Return the verdicts of `check`: 32 rows at once take 0.4 of the time."""
        answers = [(sample, cell) for sample, cell in rows if cell.kind != SKILL_MIX]
        scored = iter(self._scored(answers)) if answers else iter(())
        return [Verdict() if cell.kind == SKILL_MIX else next(scored) for _, cell in rows]

    def _scored(self, rows: Sequence[tuple[Sample, Cell]]) -> list[Verdict]:
        """Return the verdicts on answers to instructions."""
        from skillmill.filters.shirker.model import BRIEF_SHARE, load_model  # numpy and the model load at first use
        from skillmill.filters.shirker.outside import outside

        model = load_model(self.model)
        threshold = model.threshold if self.threshold is None else self.threshold
        instructions, responses = [sample.instruction for sample, _ in rows], [sample.response for sample, _ in rows]
        features = model.features(instructions, responses)
        verdicts = []
        for place, score in enumerate(model.scores(features).tolist()):
            if rows[place][1].length == "short":
                score *= BRIEF_SHARE
            here = slice(place, place + 1)
            rejected = score >= threshold and not outside(instructions[here], responses[here], features[here])[0]
            verdicts.append(self.verdict(rejected, shirker_score=round(score, 6)))
        return verdicts
