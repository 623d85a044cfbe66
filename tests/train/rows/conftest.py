"""Real exports with accepted and rejected rows, in all splits."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exports import export_stores, row_of
from hub_server import HubServer
from huggingface_hub import constants

from skillmill.data.records import PairRow, SampleRow, pair_id
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.train.config import DpoConfig, SftConfig, StageConfig
from skillmill.train.job import Job
from skillmill.train.rows.methods import COLUMNS, CONFIGURATIONS

PLAN = "b" * 16
REASONS = [[], [], ["echo"], [], ["near_duplicate"], ["transport"], [], ["duplicate", "refusal"]]
"""The reasons of the rows of an export, in turn."""


def rows_for(count: int, **columns: Any) -> list[SampleRow]:
    """Return `count` rows with `REASONS` in turn. A row without a reply has no texts, every tenth row is of a test."""
    rows: list[SampleRow] = []
    for index in range(count):
        row = row_of(PLAN, index)
        row["reasons"] = REASONS[index % len(REASONS)]
        row["verdict"] = "rejected" if row["reasons"] else "accepted"
        row["split"] = "test" if index % 10 == 9 else "train"
        row["k"] = index % 4 + 1
        if row["reasons"] == ["transport"]:
            row["prompt"], row["completion"] = [], []
        rows.append({**row, **columns})  # type: ignore[typeddict-item]
    return rows


def pair_of(row: SampleRow) -> PairRow:
    """Return a pair whose rejected side is short."""
    return {
        "id": pair_id(row["id"], "brevity"),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": "No."}],
        "chosen_source": "accepted",
        "rejected_source": "brevity",
        "margin": None,
        "row": row["id"],
        "chosen_words": 2,
        "rejected_words": 1,
        "reason": None,
    }


def write_export(root: Path, rows: Iterable[SampleRow], validation: float = 0.0, **options: Any) -> Path:
    """Store rows and a pair for each accepted one below `root`; return the folder of their export."""
    rows = list(rows)
    stores = samples, pairs, _ = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    accepted = [row for row in rows if row["verdict"] == "accepted"]
    samples.commit(PLAN, 0, len(rows), rows, len(rows), len(accepted))
    pairs.commit("c" * 16, 0, len(rows), [pair_of(row) for row in accepted], len(rows), len(accepted))
    export_stores(stores, {PLAN: "c" * 16}, validation=validation, **options)
    return root / "export"


def job_of(stage: str, folder: Path, settings: StageConfig | None = None, student: Path | None = None) -> Job:
    """Return the job of a stage on an export."""
    default = DpoConfig() if stage == "dpo" else SftConfig()
    return Job(
        stage=stage,
        settings=settings or default,
        student=None if student is None else str(student),
        dataset_dir=folder,
        configuration=CONFIGURATIONS[stage],
        columns=COLUMNS[stage],
        output_dir=folder.parent / "result",
        seed=7,
    )


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("rows"), rows_for(80), validation=0.25)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub that `datasets` reads from."""
    import datasets

    with HubServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        changes: dict[Any, dict[str, object]] = {
            constants: {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True, "HF_HUB_CACHE": str(tmp_path / "hub")},
            datasets.config: {
                "HF_HUB_OFFLINE": False,
                "HF_ENDPOINT": server.address,
                "HF_DATASETS_CACHE": tmp_path / "sets",
            },
        }
        for module, values in changes.items():
            for attribute, changed in values.items():
                monkeypatch.setattr(module, attribute, changed, raising=False)
        yield server
