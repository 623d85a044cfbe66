"""LoRA experts: an adapter for each category of skills, merged by PEFT into one.

It is the counterpart of one adapter on the mixture of all categories, which is `train.sft`: `skillmill evaluate`
compares the two. A row whose skills have two categories trains both experts.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError
from skillmill.data.files import replace_folder, store_errors, sync, temporary_path
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.train.config import TrainConfig
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import offline_and_quiet
from skillmill.train.result import TrainResult
from skillmill.train.student import student_path

log = logging.getLogger(__name__)

RECORD = "experts.json"
"""The file with the categories, rows and steps of the experts."""


def train_experts(config: TrainConfig, dataset_dir: Path, results_dir: Path, seed: int, taxonomy: Path) -> Path:
    """Train an adapter for each category with the settings of `train.sft` and merge them; return the merged adapter.

    The merged adapter is in `results_dir`/experts, each expert in a numbered folder of `results_dir`/experts-parts. The
    sum of its updates is the mean of those of the experts. Raises `ConfigError` if `train.sft` has no adapter or reads
    other rows than the export, or if the rows have fewer than two categories.
    """
    sft = config.sft
    if sft is None or sft.lora is None or sft.data or sft.mixture or sft.phases:
        raise ConfigError("train.sft: experts expect an adapter (lora) that is trained on the rows of the export")
    parts = results_dir / "experts-parts"
    by_category = rows_by_category(dataset_dir / sft.dataset, taxonomy)
    if len(by_category) < 2:
        raise ConfigError(f"train experts: expected rows of two or more categories of skills, found {len(by_category)}")
    experts: dict[str, TrainResult] = {}
    for number, (category, rows) in enumerate(by_category.items()):
        folder = parts / f"{number:03d}"  # a category may be a teacher's text, which is never a path
        data = folder.with_name(f".{folder.name}.data")
        try:
            with store_errors(f"train experts: cannot write {data}"):
                shutil.rmtree(data, ignore_errors=True)
                (data / sft.dataset).mkdir(parents=True)
                pq.write_table(rows, data / sft.dataset / "train-00000.parquet")
            log.info(f"train experts: {category}, {len(rows)} rows")
            experts[category] = train_sft(config, data, folder, seed)
        finally:
            shutil.rmtree(data, ignore_errors=True)
    target = results_dir / "experts"
    with store_errors(f"train experts: cannot write {target}"), offline_and_quiet():
        _merge(student_path(config.student), experts, target)
    return target


def rows_by_category(folder: Path, taxonomy: Path) -> dict[str, pa.Table]:
    """Return the rows of a configuration of an export by category of their skills, in the order of the categories."""
    category = {skill.name: skill.category for skill in load_taxonomy(taxonomy).skills}
    files = sorted(folder.glob("train-*.parquet"))
    if not files:
        raise ConfigError(f"train experts: {folder} has no rows; run `skillmill export` first")
    rows = pa.concat_tables([pq.read_table(file, columns=["prompt", "completion", "skills"]) for file in files])
    of_rows = [{category[name] for name in names if name in category} for names in rows["skills"].to_pylist()]
    names = sorted(set().union(*of_rows))
    return {name: rows.filter(pa.array([name in each for each in of_rows], pa.bool_())) for name in names}


def _merge(student: str, experts: dict[str, TrainResult], target: Path) -> None:
    """Write the adapter whose updates are the mean of the experts' updates, with a tokenizer, whole or not at all.

    PEFT's combination "cat" is exact; its rank is the sum of the ranks.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    names = [f"expert{number}" for number in range(len(experts))]
    paths = [str(result.path) for result in experts.values()]
    model: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(student), paths[0], names[0])
    for name, path in zip(names[1:], paths[1:], strict=True):
        model.load_adapter(path, adapter_name=name)
    model.add_weighted_adapter(names, [1 / len(names)] * len(names), "merged", combination_type="cat")
    work = temporary_path(target)
    shutil.rmtree(work, ignore_errors=True)
    model.save_pretrained(work, selected_adapters=["merged"])
    for file in (work / "merged").iterdir():
        file.rename(work / file.name)
    (work / "merged").rmdir()
    AutoTokenizer.from_pretrained(paths[0]).save_pretrained(work)
    record = [{"category": key, "rows": each.rows, "steps": each.steps} for key, each in experts.items()]
    (work / RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    for file in work.iterdir():
        sync(file)
    replace_folder(work, target)
