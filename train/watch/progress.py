"""What a person sees of a running training: the held-out loss, tokens per second, and the time left.

The measurements are TRL's own evaluations. They draw no random numbers from the training, so that a training has the
same weights with and without them, and a training that continues measures what an undisturbed one does.
"""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from skillmill.train.processes import is_main_process

log = logging.getLogger(__name__)

LINES = 10
"""The number of lines that a training logs at least, if it has as many steps."""
LONGEST_SILENCE_S = 60.0


@dataclass
class Progress:
    """What was measured so far.

    `held_out`: (step, value) of each measurement of this and earlier processes of the training. `tokens`: tokens that
    this process trained on, padding excluded, in `seconds`, measurements excluded. `measuring_s`: the seconds of the
    measurements.
    """

    measure: str
    held_out: list[tuple[int, float]] = field(default_factory=list)
    tokens: float = 0
    seconds: float = 0.0
    measuring_s: float = 0.0

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens per second of this process, None if it trained no step."""
        return self.tokens / self.seconds if self.tokens and self.seconds else None


def progress_callback(stage: str, progress: Progress, trainer: Any) -> Any:
    """Return a `TrainerCallback` that fills `progress` and logs it; `trainer` measures if it has rows for it."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc,unused-ignore]
        started = said = 0.0
        first_step = said_step = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.first_step = self.said_step = state.global_step
            self.started = self.said = time.monotonic()

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not (state.epoch or 0) % 1:  # a training that continues begins its epoch in the middle
                self.measure(state)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress.seconds = self.training_s()
            self.measure(state)
            progress.held_out = _values(state, progress.measure)

        def measure(self, state: Any) -> None:
            if trainer.eval_dataset is None or _measured_at(state, progress.measure):
                return
            trainer.evaluate()

        def training_s(self) -> float:
            return time.monotonic() - self.started - progress.measuring_s

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            value = (metrics or {}).get(f"eval_{progress.measure}")
            if value is not None and is_main_process():
                when = f"after step {state.global_step}" if state.global_step else "before the first step"
                log.info(f"train {stage}: held-out {progress.measure} {value:.3f} {when}")

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            progress.tokens = max(progress.tokens, (logs or {}).get("num_tokens") or 0)
            if "loss" not in (logs or {}):
                return
            now, done = time.monotonic(), state.global_step - self.first_step
            is_due = (
                state.global_step - self.said_step >= state.max_steps / LINES or now - self.said > LONGEST_SILENCE_S
            )
            if not is_due or not done or not is_main_process():
                return
            self.said, self.said_step = now, state.global_step
            seconds = self.training_s()
            left = _duration(seconds / done * (state.max_steps - state.global_step))
            pace = f"{progress.tokens / seconds:,.0f} tokens/s, " if progress.tokens and seconds else ""
            step = f"step {state.global_step} of {state.max_steps}"
            log.info(f"train {stage}: {step}, loss {logs['loss']:.3f}, {pace}{left} left")

    return Watch()


def measure_apart(trainer: Any, progress: Progress) -> None:
    """Time the evaluations of a trainer; they draw the same random numbers each time, and none of the training's."""
    import torch

    evaluate, seed = trainer.evaluate, trainer.args.seed

    def evaluate_apart(*args: Any, **kwargs: Any) -> Any:
        begun = time.monotonic()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            values = evaluate(*args, **kwargs)
        progress.measuring_s += time.monotonic() - begun
        return values

    trainer.evaluate = evaluate_apart


def _measured_at(state: Any, measure: str) -> bool:
    return any(step == state.global_step for step, _ in _values(state, measure))


def _duration(seconds: float) -> str:
    """Return a duration in hours, minutes or seconds, such as "2 h 5 min", "3 min" or "40 s"."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"


def _values(state: Any, measure: str) -> list[tuple[int, float]]:
    """Return (step, value) of the evaluations in the log of a training, in order."""
    key = f"eval_{measure}"
    return [(entry["step"], entry[key]) for entry in state.log_history if key in entry]
