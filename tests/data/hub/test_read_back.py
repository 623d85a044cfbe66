"""`datasets` loads what was pushed, at the revision of each version, whole and as a stream."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from example_rows import example_row
from exports import export_stores
from hub_server import HubServer

from skillmill.data.hub.publish import PublishResult
from skillmill.data.reasons import UNPARSABLE
from skillmill.data.records import Sample
from skillmill.data.store import grade_store, pair_store, sample_store

PLAN = "a" * 16
REJECTED = (UNPARSABLE,)
READ = """
import json
from datasets import load_dataset
found = {}
for version in ("v1", "v2"):
    for configuration in ("sft", "preference", "rejected"):
        # `datasets` builds no split without rows, but streams one.
        for streaming in (False, True) if configuration != "preference" else (True,):
            dataset = load_dataset("someone/skills", configuration, revision=version, streaming=streaming)
            rows = [row for split in dataset.values() for row in split]
            found[f"{version} {configuration} {streaming}"] = [row["prompt"][0]["content"] for row in rows]
print(json.dumps(found))
"""


def test_datasets_loads_each_version(
    hub: HubServer, tmp_path: Path, folder: Path, publish: Callable[..., PublishResult]
) -> None:
    root = folder.parent
    shutil.rmtree(folder)
    stores = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    for number, version in enumerate(("v1", "v2")):
        first = number * 10
        samples = [Sample(f"Question {first}?", "Answer."), Sample(f"Question {first + 1}?", "No.", reasons=REJECTED)]
        rows = [example_row(sample, PLAN, n) for n, sample in enumerate(samples, first)]
        stores[0].commit(PLAN, first, first + 10, rows, 2, 1)
        exported = export_stores(stores, {PLAN: "c" * 16})
        assert exported.version.version == version
        publish(version, earlier=("v1",) * number, own_folders=frozenset({"sft", "preference", "rejected"}))
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, env=environment, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected: dict[str, list[str]] = {}
    for streaming in (False, True):
        expected |= {f"v1 sft {streaming}": ["Question 0?"], f"v1 rejected {streaming}": ["Question 1?"]}
        expected |= {f"v2 sft {streaming}": ["Question 0?", "Question 10?"]}
        expected |= {f"v2 rejected {streaming}": ["Question 1?", "Question 11?"]}
    assert found == expected | {"v1 preference True": [], "v2 preference True": []}
