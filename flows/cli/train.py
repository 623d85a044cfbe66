"""Commands of the group `skillmill train`: one for each training method, and one for launchers."""

from pathlib import Path
from typing import Annotated

import typer

from skillmill.flows.cli.options import ConfigFile, Overrides, load

Formats = Annotated[
    list[str] | None,
    typer.Option("--format", metavar="FORMAT", help="adapter, merged or gguf; repeatable. Default: train.export."),
]
LaunchName = Annotated[str, typer.Argument(metavar="NAME", help="fsdp or zero3.")]


def sft(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run supervised fine-tuning on configuration sft of the export.

    Example: skillmill train sft -c skillmill.yaml
    """
    _train("sft", config, overrides)


def dpo(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run direct preference optimisation on configuration preference of the export.

    Example: skillmill train dpo -c skillmill.yaml
    """
    _train("dpo", config, overrides)


def kto(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run Kahneman-Tversky optimisation on the accepted and rejected rows of the export.

    Example: skillmill train kto -c skillmill.yaml
    """
    _train("kto", config, overrides)


def grpo(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run group relative policy optimisation on the prompts of the export, with rewards by rules.

    Example: skillmill train grpo -c skillmill.yaml
    """
    _train("grpo", config, overrides)


def experts(config: ConfigFile, overrides: Overrides = None) -> None:
    """Train an adapter for each category of skills with the settings of train.sft, and merge them into one.

    Example: skillmill train experts -c skillmill.yaml
    """
    from skillmill.flows.steps.train import experts_step

    loaded = load(config, overrides)
    print(loaded.place(experts_step(loaded)))


def export(config: ConfigFile, formats: Formats = None, overrides: Overrides = None) -> None:
    """Write the trained student for others: adapter, merged weights, or a GGUF file for llama.cpp.

    Example: skillmill train export -c skillmill.yaml --format merged --format gguf
    """
    from skillmill.flows.steps.train import export_step

    loaded = load(config, overrides)
    for path in export_step(loaded, formats or ()):
        print(loaded.place(path))


def accelerate(name: LaunchName) -> None:
    """Print the path of a shipped configuration of `accelerate launch` for several GPUs.

    Example: skillmill train accelerate fsdp

    accelerate launch --config_file $(skillmill train accelerate fsdp) -m skillmill.flows.cli train sft -c FILE
    """
    from skillmill.data.errors import ConfigError
    from skillmill.train.presets import LAUNCH_FILES

    if name not in LAUNCH_FILES:
        raise ConfigError(f"train accelerate: there is no {name!r}, expected {' or '.join(LAUNCH_FILES)}")
    print(LAUNCH_FILES[name])


def _train(method: str, config: Path, overrides: list[str] | None) -> None:
    from skillmill.flows.steps.train import train_step
    from skillmill.train.processes import is_main_process

    loaded = load(config, overrides)
    path = train_step(loaded, method)
    if is_main_process():
        print(loaded.place(path))
