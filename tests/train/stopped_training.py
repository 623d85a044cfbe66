"""A process that trains as a test says and sends itself a signal at an event of a step, as a user or a kill would."""

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from skillmill.train.config import TrainConfig
from skillmill.train.methods import dpo, sft


def main(config: str, data: str, output: str, stage: str, event: str, step: str, name: str) -> None:
    """Train `stage` and send the signal `name` at the trainer's `event` of `step`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings, folder = TrainConfig.model_validate_json(config), Path(output)
    module = {"sft": sft, "dpo": dpo}[stage]
    make_trainer = getattr(module, f"{stage}_trainer")

    def make(*args: Any) -> Any:
        from transformers import TrainerCallback

        def stop(_: Any, arguments: Any, state: Any, control: Any, **others: Any) -> None:
            if state.global_step == int(step):
                os.kill(os.getpid(), signal.Signals[name])

        trainer = make_trainer(*args)
        trainer.add_callback(type("Stop", (TrainerCallback,), {event: stop}))
        return trainer

    setattr(module, f"{stage}_trainer", make)
    if stage == "sft":
        sft.train_sft(settings, Path(data), folder / "sft", 1)
    else:
        dpo.train_dpo(settings, Path(data), folder / "dpo", folder / "sft" if settings.sft else None, 1)


main(*sys.argv[1:])
