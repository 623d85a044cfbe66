"""Runs over a real HTTP teacher and grader, and what they leave behind."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from skillmill.data.errors import SkillmillError
from skillmill.flows.config import Config, load_config
from skillmill.flows.pipeline import run

TAXONOMY = {
    "skills": [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcdef"],
    "topics": [{"name": "Knots"}, {"name": "Bees"}],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}
ALWAYS: dict[str, Any] = {"when": "always"}
LENIENT = {"low_grade": {"min_skills": 0, "required": []}}
NOWHERE = {"kind": "openai", "model": "nobody", "base_url": "http://127.0.0.1:9/v1", "retry": {"patience_s": 0.1}}


class Runs:
    """`runs("out", grading={...})` is the configuration of a run; one server teaches, another grades."""

    def __init__(self, folder: Path, teacher: Any, grader: Any) -> None:
        self.folder, self.teacher, self.grader = folder, teacher, grader
        (folder / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))

    def __call__(self, output_dir: str, **sections: Any) -> Config:
        generation = {"kind": "skill_mix", "samples": 12, "shard_rows": 5, **sections.pop("generation", {})}
        sampling = {"max_tokens": 320 if generation["kind"] == "skill_mix" else 600}  # one sentence, or an answer

        def engine(server: Any, model: str) -> dict[str, Any]:
            asked = {"model": model, "base_url": server.base_url, "max_in_flight": 4, "sampling": sampling}
            return {"kind": "openai", **asked}

        content = {
            "output_dir": output_dir,
            "taxonomy": "mine.yaml",
            "teacher": engine(self.teacher, "teacher"),
            "grader": engine(self.grader, "grader"),
            "generation": generation,
            "pairs": {"sources": ["draft"]},
        }
        path = self.folder / "skillmill.yaml"
        path.write_text(yaml.safe_dump(content | sections))
        return load_config(path)

    @property
    def asked(self) -> tuple[int, int]:
        """How many requests the teacher and the grader have had."""
        return self.teacher.stats()["asked"], self.grader.stats()["asked"]


def data(config: Config) -> dict[str, bytes]:
    """Every file that is data; run.json and the report tell of the calls that were made."""
    files = [path for path in sorted(config.output.rglob("*")) if path.is_file() and ".work" not in path.parts]
    told = {"run.json", "report.html", "versions.jsonl", "version.json", "README.md"}
    return {str(path.relative_to(config.output)): path.read_bytes() for path in files if path.name not in told}


def rows(config: Config, configuration: str = "sft") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "export" / configuration).to_pylist()
    return found


def all_rows(config: Config) -> list[dict[str, Any]]:
    """All stored rows; a column that an older shard lacks is None there."""
    tables = [pq.read_table(path) for path in sorted((config.output / "shards").glob("*.parquet"))]
    return pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []


def state(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((config.output / "run.json").read_bytes())
    return found


def run_to_the_export(config: Config) -> None:
    """Run; a run in which no row is accepted fails after its export."""
    try:
        run(config)
    except SkillmillError as error:
        if "no row was accepted" not in str(error):
            raise
