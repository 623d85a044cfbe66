"""Rows in other languages, closed tasks with short answers and very long texts are not judged."""

import pytest

from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.outside import outside

MODEL = load_model()
TEA = "How do I brew a good cup of green tea at home?"
ADVICE = "Heat the water to about 75 °C, pour it over two grams of leaves, and take them out after two minutes."


def why(instruction: str, response: str) -> list[str]:
    return outside([instruction], [response], MODEL.features([instruction], [response]))[0]


@pytest.mark.parametrize(
    ("instruction", "response", "expected"),
    [
        (TEA, ADVICE, []),
        (TEA, "Boil it.", []),
        (TEA, "xq zzrt ## vlo } brn kkt @@ wq plo", []),
        ("Is tea a drink?", "Yes", ["kind of task"]),
        ("Is tea a drink?", "Ye", []),
        (TEA, "Chauffez l'eau à 75 degrés, versez-la sur les feuilles et attendez deux minutes.", ["language"]),
        ("Wie koche ich einen grünen Tee und wie lange muss er ziehen?", "Zwei Minuten sind genug.", ["language"]),
        ("お茶はどうやって入れますか？", "お湯を沸かします。", ["language"]),
        (TEA, "Warm the pot, then pour. " * 400, ["length"]),
    ],
)  # fmt: skip
def test_why_a_row_is_not_judged(instruction: str, response: str, expected: list[str]) -> None:
    assert why(instruction, response) == expected
