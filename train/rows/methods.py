"""The columns that each training method takes, and the configurations of an export that have them."""

from skillmill.data.export.splits import SPLITS

COLUMNS: dict[str, tuple[str, ...]] = {
    "sft": ("prompt", "completion"),
    "dpo": ("prompt", "chosen", "rejected"),
    "kto": ("prompt", "completion", "label"),
    "grpo": ("prompt", "kind", "k", "skills", "topic", "query_type", "length", "language"),
}
"""The columns by stage. `prompt`, `completion`, `chosen` and `rejected` are lists of messages. `label` is true for an
answer to learn and false for one to avoid. The columns of GRPO beside `prompt` are for its rewards: what the cell of
the row asks for."""

CONFIGURATIONS = {"sft": "sft", "dpo": "preference", "kto": "sft", "grpo": "sft"}
"""The configuration of an export that each stage reads. KTO reads `REJECTED` too, for its false labels."""
REJECTED = "rejected"
LABEL = "label"
HELD_OUT = tuple(split for split in SPLITS if split != "train")
"""The splits of held-out rows."""
