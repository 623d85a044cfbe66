"""Commands of the group `skillmill train`: sft and dpo."""

from skillmill.flows.cli.options import ConfigFile, Overrides, load


def sft(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run supervised fine-tuning on configuration sft of the export.

    Example: skillmill train sft -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(load(config, overrides), "sft"))


def dpo(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run direct preference optimisation on configuration preference of the export.

    Example: skillmill train dpo -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(load(config, overrides), "dpo"))
