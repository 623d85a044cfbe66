"""Cost of `skillmill train` over the TRL trainer that it calls, and the time to its first step on 100,000 rows.

    python benchmarks/train.py [--steps 12] [--rounds 3] [--rows 100000]

The same rows, settings and student (SmolLM2-135M, an adapter) are trained by `skillmill train sft` and by
`trl.SFTTrainer` with the same arguments, in turn, each in a process of its own. The ratio is of tokens per second of
CPU time of the steps, because other programs of the machine change the wall time. Held-out measurements are not steps.
The first step is timed with a student of random weights, so that it is the time of the preparation, also in CPU
seconds. The exit code is 1 if a target is missed.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LEAST_RATIO, LONGEST_START_S = 0.98, 30.0
WORDS = "the a river stone lamp letter garden winter clock bridge quiet bright carries finds near under and so".split()
ARGS: dict[str, Any] = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "max_length": 256}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--child", choices=["skillmill", "trl", "start"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.child:
        measure = {"skillmill": train_by_skillmill, "trl": train_by_trl, "start": start}[options.child]
        print(json.dumps(measure(options.folder, options.steps)))
        return
    with tempfile.TemporaryDirectory() as folder:
        missed = compare(Path(folder), options.steps, options.rounds) + first_step(Path(folder), options.rows)
    for line in missed:
        print(f"missed: {line}")
    sys.exit(bool(missed))


def compare(folder: Path, steps: int, rounds: int) -> list[str]:
    """Print the figures of both ways of training; return the targets that were missed."""
    write_rows(folder / "some", 2 * steps)
    kinds = ("trl", "skillmill")
    runs = [{kind: child(kind, folder / "some", steps) for kind in kinds} for _ in range(rounds)]
    for kind in kinds:
        speed = statistics.median(run[kind]["tokens"] / run[kind]["wall_s"] for run in runs)
        cpu = statistics.median(run[kind]["tokens"] / run[kind]["cpu_s"] for run in runs)
        memory = statistics.median(run[kind]["peak_mb"] for run in runs)
        print(f"{kind}: {speed:,.0f} tokens/s, {cpu:,.0f} tokens per CPU second, peak memory {memory:,.0f} MB")
    assert all(run["trl"]["losses"] == run["skillmill"]["losses"] for run in runs), "the trainings differ"
    ratio = statistics.median(run["trl"]["cpu_s"] / run["skillmill"]["cpu_s"] for run in runs)
    print(f"ratio: {ratio:.3f} (target {LEAST_RATIO})")
    return [] if ratio >= LEAST_RATIO else [f"ratio {ratio:.3f}"]


def first_step(folder: Path, rows: int) -> list[str]:
    """Print the time to the first step on many rows; return the targets that were missed."""
    write_rows(folder / "many", rows)
    started = child("start", folder / "many", 1)
    seconds, cpu = started["wall_s"], started["cpu_s"]
    print(f"first step on {rows:,} rows: {cpu:.1f} s of CPU (target {LONGEST_START_S:.0f} s), {seconds:.1f} s")
    print(f"peak memory: {started['peak_mb']:,.0f} MB")
    return [] if cpu <= LONGEST_START_S else [f"first step after {cpu:.1f} s of CPU"]


def child(kind: str, folder: Path, steps: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", kind, "--folder", str(folder), "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_rows(folder: Path, count: int) -> None:
    """Write an export with `count` rows of about 60 words."""
    draw = random.Random(0)
    ask = [[{"role": "user", "content": f"{i}: " + " ".join(draw.choices(WORDS, k=20))}] for i in range(count)]
    tell = [[{"role": "assistant", "content": " ".join(draw.choices(WORDS, k=40))}] for _ in range(count)]
    (folder / "sft").mkdir(parents=True)
    pq.write_table(pa.table({"prompt": ask, "completion": tell}), folder / "sft" / "train-00000.parquet")


def job(folder: Path, steps: int, student: str | None = None) -> Any:
    from skillmill.train.config import TrainConfig
    from skillmill.train.methods.sft import sft_job

    sft = {"held_out": 0, "args": {**ARGS, "max_steps": steps, "save_strategy": "no"}}
    config = TrainConfig.model_validate({"student": student, "sft": sft})
    return sft_job(config, folder, folder.parent / f"out-{time.monotonic_ns()}", 1)


class Stopwatch:
    """Wall and CPU time from the first step's end to the last one's, so that warm-up counts for neither way."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []
        self.tokens: list[float] = []

    def callback(self) -> Any:
        from transformers import TrainerCallback

        watch = self

        class Mark(TrainerCallback):  # type: ignore[misc,unused-ignore]
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                watch.marks.append((time.monotonic(), time.process_time()))

            def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
                if "num_tokens" in (logs or {}):
                    watch.tokens.append(logs["num_tokens"])

        return Mark()

    def result(self, losses: list[float]) -> dict[str, Any]:
        (wall, cpu), (end_wall, end_cpu) = self.marks[0], self.marks[-1]
        tokens = self.tokens[-1] - self.tokens[0]
        return {"wall_s": end_wall - wall, "cpu_s": end_cpu - cpu, "tokens": tokens, "losses": losses, **peak()}


def peak() -> dict[str, float]:
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def train_by_skillmill(folder: Path, steps: int) -> dict[str, Any]:
    from skillmill.train.methods.sft import sft_trainer
    from skillmill.train.run import run_job

    watch = Stopwatch()

    def trainer(*arguments: Any) -> Any:
        made = sft_trainer(*arguments)
        made.add_callback(watch.callback())
        return made

    return watch.result(list(run_job(job(folder, steps), trainer).losses))


def train_by_trl(folder: Path, steps: int) -> dict[str, Any]:
    from skillmill.train.quiet import offline_and_quiet, require_extra
    from skillmill.train.student import model_arguments, peft_config, student_path
    from skillmill.train.trl_arguments import trl_arguments

    require_extra()  # it sets OpenMP's policy, so that both ways compute alike
    import datasets
    from transformers import AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    settings, watch = job(folder, steps), Stopwatch()
    with offline_and_quiet():
        student = student_path(None)
        trainer = SFTTrainer(
            model=student,
            args=trl_arguments(SFTConfig, settings, model_init_kwargs=model_arguments(settings.settings)),
            train_dataset=datasets.Dataset.from_parquet(str(folder / "sft" / "train-00000.parquet")),
            processing_class=AutoTokenizer.from_pretrained(student),
            peft_config=peft_config(settings.settings.lora),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(watch.callback())
        trainer.train()
    return watch.result([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])


def start(folder: Path, steps: int) -> dict[str, Any]:
    """Train one step of a student with random weights and the tokenizer of the embedded one."""
    from skillmill.train.methods.sft import sft_trainer
    from skillmill.train.quiet import require_extra
    from skillmill.train.run import run_job
    from skillmill.train.student import student_path

    require_extra()
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    student = folder.parent / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(student_path(None))
    tokenizer.save_pretrained(student)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(student)
    watch, began, cpu = Stopwatch(), time.monotonic(), time.process_time()

    def trainer(*arguments: Any) -> Any:
        made = sft_trainer(*arguments)
        made.add_callback(watch.callback())
        return made

    run_job(job(folder, steps, str(student)), trainer)
    return {"wall_s": watch.marks[0][0] - began, "cpu_s": watch.marks[0][1] - cpu, **peak()}


if __name__ == "__main__":
    main()
