"""A tiny dataset folder in the layout of `data/export.py`, and trainings that several tests look at."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.schemas import PREFERENCE_SCHEMA, SAMPLE_SCHEMA
from skillmill.train.config import TrainConfig
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.result import TrainResult

SEED = 42
ARGS = {
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "max_length": 96,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
}
CONFIG: dict[str, Any] = {
    "sft": {"lora": {"r": 4, "alpha": 8}, "args": {**ARGS, "max_steps": 3}},
    "dpo": {"args": {**ARGS, "max_steps": 2}},
}
ROOMY = {**ARGS, "max_length": 256}
"""Arguments for a student with one token a byte."""
FRUIT = ("apple", "pear", "plum", "cherry", "quince", "fig", "grape", "melon")


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({**CONFIG, **changes})


def write_dataset(folder: Path, rows: int, pairs: int) -> Path:
    """The export's layout: a card that names the configurations, one Parquet file for each."""
    ask = [[{"role": "user", "content": f"Name the colour of a {fruit}."}] for fruit in FRUIT]
    good = [[{"role": "assistant", "content": f"A ripe {fruit} is sweet and green."}] for fruit in FRUIT]
    bad = [[{"role": "assistant", "content": "It depends."}]] * len(FRUIT)
    sft = [
        {"id": str(i), "index": i, "prompt": ask[i], "completion": good[i], "skills": ["metaphor"]} for i in range(rows)
    ]
    preference = [
        {"id": str(i), "prompt": ask[i], "chosen": good[i], "rejected": bad[i], "rejected_source": "brevity"}
        for i in range(pairs)
    ]
    signals = SAMPLE_SCHEMA.get_field_index("signals")  # a struct in the export: datasets knows no map type
    sft_schema = SAMPLE_SCHEMA.set(signals, pa.field("signals", pa.struct([("words", pa.float64())])))
    configurations = {"sft": (sft, sft_schema), "preference": (preference, PREFERENCE_SCHEMA)}
    card = ["---", "configs:"]
    for name, (content, schema) in configurations.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(content, schema=schema), folder / name / "train-00000.parquet")
        default = ["  default: true"] if name == "sft" else []
        card += [f"- config_name: {name}", *default, "  data_files:", "  - split: train"]
        card += [f"    path: {name}/train-*.parquet"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "export", rows=8, pairs=6)


@pytest.fixture(scope="session")
def sft(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train_sft(config(), dataset, tmp_path_factory.mktemp("train") / "sft", SEED)


@pytest.fixture(scope="session")
def dpo(dataset: Path, sft: TrainResult) -> TrainResult:
    return train_dpo(config(), dataset, sft.path.parent / "dpo", sft.path, SEED)
