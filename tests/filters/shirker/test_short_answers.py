"""Short right answers to closed tasks are not shirkers, and broken answers score higher."""

import pytest
from short_answers import SEEN, UNSEEN, ShortAnswer

from skillmill.filters.shirker.features.instruction import instruction_features
from skillmill.filters.shirker.model import load_model

MODEL = load_model()


def scores(rows: list[ShortAnswer]) -> list[tuple[float, float]]:
    """The scores of the right and of the bad answer of each row."""
    asked = [row.instruction for row in rows]
    right, bad = (
        MODEL.scores(MODEL.features(asked, answers)).tolist()
        for answers in ([row.right for row in rows], [row.bad for row in rows])
    )
    return list(zip(right, bad, strict=True))


@pytest.mark.parametrize("rows", [SEEN, UNSEEN], ids=["seen", "unseen"])
def test_right_answers_pass_and_bad_ones_score_higher(rows: list[ShortAnswer]) -> None:
    found = list(zip(rows, scores(rows), strict=True))
    flagged = [row.instruction for row, (right, _) in found if right >= MODEL.threshold]
    not_above = [row.instruction for row, (right, bad) in found if bad <= right]
    assert len(flagged) <= len(rows) // 20, flagged
    assert len(not_above) <= len(rows) // 10, not_above


@pytest.mark.parametrize(
    "instruction", ["How do I keep bees?", "Write an essay about rivers.", "Explain why it rains."]
)
def test_open_tasks_request_no_short_answer(instruction: str) -> None:
    assert instruction_features(instruction).form.most == 0


@pytest.mark.parametrize(
    ("instruction", "fewest", "most"),
    [("Describe it in 50 words.", 20, 83), ("Answer in one word.", 1, 5), ("Write two sentences about owls.", 8, 99)],
)
def test_a_requested_length_is_a_range(instruction: str, fewest: float, most: float) -> None:
    form = instruction_features(instruction).form
    assert form.fewest == fewest
    assert abs(form.most - most) <= 1
