"""The rows that a training is measured on."""

from typing import Any

import pytest

from skillmill.train.watch.held_out import (
    FEWEST_ROWS,
    MOST_ROWS,
    MOST_TRAINED_ON,
    SET_ASIDE,
    TRAINED_ON,
    VALIDATION,
    hold_out,
)


def rows(count: int, each: int = 1) -> Any:
    """Return a dataset with `each` rows for each of `count` prompts."""
    import datasets

    prompts = [[{"role": "user", "content": f"Question {index // each}?"}] for index in range(count * each)]
    return datasets.Dataset.from_dict({"prompt": prompts, "number": list(range(count * each))})


def prompts_of(dataset: Any) -> set[str]:
    return {prompt[0]["content"] for prompt in dataset["prompt"]}


@pytest.mark.parametrize(
    ("count", "share", "wanted"), [(20, 0.05, 2), (100, 0.05, 5), (100, 0.5, 32), (2000, 0.05, 32)]
)
def test_a_share_of_the_rows_is_set_aside(count: int, share: float, wanted: int) -> None:
    split = hold_out(rows(count), None, share)
    assert split.origin == SET_ASIDE and split.measured is not None
    assert (len(split.measured), len(split.trained)) == (wanted, count - wanted)
    assert not prompts_of(split.measured) & prompts_of(split.trained)
    again = hold_out(rows(count).shuffle(seed=3), None, share)
    assert again.measured is not None and prompts_of(again.measured) == prompts_of(split.measured)


def test_the_rows_of_a_prompt_stay_on_one_side() -> None:
    split = hold_out(rows(30, each=40), None, 0.01)
    assert split.measured is not None and len(split.measured) == MOST_ROWS
    assert len(prompts_of(split.measured)) == 1 and len(prompts_of(split.trained)) == 29
    assert split.trained["number"] == sorted(split.trained["number"])


def test_few_rows_are_measured_and_trained_on() -> None:
    split = hold_out(rows(FEWEST_ROWS - 1), None, 0.05)
    assert split.origin == TRAINED_ON and split.measured is not None
    assert (len(split.measured), len(split.trained)) == (MOST_TRAINED_ON, FEWEST_ROWS - 1)
    assert prompts_of(split.measured) < prompts_of(split.trained)


def test_validation_rows_are_used_if_there_are_any() -> None:
    split = hold_out(rows(100), rows(50), 0.05)
    assert split.origin == VALIDATION and split.measured is not None
    assert (len(split.measured), len(split.trained)) == (MOST_ROWS, 100)


def test_nothing_is_measured_with_a_share_of_0() -> None:
    split = hold_out(rows(100), rows(50), 0)
    assert split.measured is None and len(split.trained) == 100


def test_the_first_rows_of_a_stream_are_set_aside() -> None:
    split = hold_out(rows(100).to_iterable_dataset(), None, 0.05)
    assert split.measured is not None and split.measured["number"] == list(range(MOST_ROWS))
    assert [row["number"] for row in split.trained] == list(range(MOST_ROWS, 100))
