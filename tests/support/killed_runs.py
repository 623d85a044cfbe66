"""Commands as processes that tests kill, and what they leave."""

import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

IN_FLIGHT = 8
OF_THE_STUDENT = 2


def write_config(folder: Path, base_url: str, grading: dict[str, Any] | None = None, **generation: Any) -> Path:
    """Write the configuration of a run with pairs of three sources and a stress set."""
    folder.mkdir(parents=True)
    content = {
        "name": "kill",
        "output_dir": "out",
        "teacher": {
            "kind": "openai",
            "model": "scripted",
            "base_url": base_url,
            "max_in_flight": IN_FLIGHT - OF_THE_STUDENT,
            "sampling": {"max_tokens": 400},
        },
        "generation": {"kind": "instruct_skill_mix", "k": 2, "shard_rows": 7, **generation},
        "grading": grading or {},
        # The scripted teacher writes more sentences than a text of Skill-Mix may have.
        "filters": {"too_many_sentences": {"enabled": generation.get("kind") != "skill_mix"}},
        "pairs": {
            "sources": ["draft", "brevity", "student", *["low_grade"] * (generation.get("generations", 1) > 1)],
            "student": {"kind": "openai", "model": "small", "base_url": base_url, "max_in_flight": OF_THE_STUDENT},
        },
        "export": {"stress": {"kind": "both", "share": 0.4}},
    }
    path = folder / "skillmill.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command, by default `run`, in a session of its own."""
    command = [sys.executable, "-m", "skillmill.flows.cli", *(arguments or ["run"]), "-c", config.name]
    return subprocess.Popen(
        command,
        cwd=config.parent,
        start_new_session=True,
        # A job that a shell put in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(config: Path, *arguments: str) -> str:
    """Run a command to its end; return what it wrote to standard error."""
    process = start(config, *arguments)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return errors


VERSIONS = {"versions.jsonl", "version.json", "README.md"}
"""The files that tell how often an export had new rows."""


def what_lies_there(config: Path, without: Collection[str] = ()) -> dict[str, bytes]:
    """Every file that is data; run.json and the report tell of the calls that were made, which differ."""
    root = config.parent / "out"
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".work" not in path.parts]
    told = {"run.json", "report.html", *without}
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.name not in told}
