"""Files and settings that a training takes by name: presets of SFT, chat templates, configurations of launchers."""

from pathlib import Path
from typing import Any

BUILTIN_TEMPLATES = {"builtin:alpaca": Path(__file__).parent / "templates" / "alpaca.jinja"}
"""Chat templates for base models, which have none, by the value of the argument `chat_template_path`."""
LAUNCH_FILES = {name: Path(__file__).parent / "accelerate" / f"{name}.yaml" for name in ("fsdp", "zero3")}
"""Configurations of `accelerate launch` for several GPUs."""

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "lora": None,
        "select": "held_out",
        "args": {
            "learning_rate": 2e-5,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.03,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 16,
            "num_train_epochs": 15,
            "max_length": 1024,
            "completion_only_loss": True,
        },
    },
    "chat-lora": {
        "lora": {},
        "args": {
            "learning_rate": 2e-4,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.03,
            "num_train_epochs": 3,
            "max_length": 1024,
            "completion_only_loss": True,
        },
    },
}
"""Settings of SFT by the name of a preset.

`paper`: all weights of a base model, as in the released training code of Instruct-SkillMix (arXiv 2408.14774). Of its
15 epochs the one with the best held-out loss is kept, because that costs no judge; the paper keeps the one with the
best win rate, which is a later one. `chat-lora`: an adapter of a chat model, with our defaults.
"""


def template_file(value: str) -> str:
    """Return a value of `chat_template_path` with a built-in name replaced by the path of its file."""
    return str(BUILTIN_TEMPLATES.get(value, value))
