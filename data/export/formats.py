"""Further forms of the `sft` rows, each a JSON Lines file that other trainers read.

`alpaca` is the form of Stanford Alpaca, `sharegpt` that of FastChat, and `openai` that of OpenAI's fine-tuning. LLaMA-
Factory and Axolotl read all three. `json` has the columns of the Parquet files.
"""

from collections.abc import Callable, Mapping

from skillmill.data.records import SampleRow, text_of

FORMATS = "formats"
"""The folder of the export with a folder for each format."""
SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}
"""The names of the roles in the form `sharegpt`."""


def alpaca(row: SampleRow) -> dict[str, object]:
    """Return instruction and output; the request is whole in `instruction`, so `input` is empty."""
    return {"instruction": text_of(row["prompt"]), "input": "", "output": text_of(row["completion"])}


def sharegpt(row: SampleRow) -> dict[str, object]:
    """Return the turns as `conversations` of {from, value}."""
    turns = [*row["prompt"], *row["completion"]]
    return {"conversations": [{"from": SPEAKERS[turn["role"]], "value": turn["content"]} for turn in turns]}


def openai(row: SampleRow) -> dict[str, object]:
    """Return the turns as `messages` of {role, content}."""
    return {"messages": [*row["prompt"], *row["completion"]]}


RECORDS: Mapping[str, Callable[[SampleRow], dict[str, object]]] = {
    "alpaca": alpaca,
    "sharegpt": sharegpt,
    "openai": openai,
}
"""The function that makes the record of a row, by format."""
