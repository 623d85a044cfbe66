"""Commands of the group `skillmill train`: one for each training method."""

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


def kto(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run Kahneman-Tversky optimisation on the accepted and rejected rows of the export.

    Example: skillmill train kto -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(load(config, overrides), "kto"))


def grpo(config: ConfigFile, overrides: Overrides = None) -> None:
    """Run group relative policy optimisation on the prompts of the export, with rewards by rules.

    Example: skillmill train grpo -c skillmill.yaml
    """
    from skillmill.flows.steps.train import train_step

    print(train_step(load(config, overrides), "grpo"))
