"""The difficulty of rows as the student finds them before the training: its loss on their answers.

ADCL (arXiv 2505.08364) trains rows from the easiest to the hardest, and measures again between batches. Here the rows
are measured once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.train.tokens.prepared import IGNORED


def easiest_first(trainer: Any) -> Any:
    """Return the tokenised rows of a `trl.SFTTrainer` in the order of their difficulty, the easiest first."""
    rows = trainer.train_dataset
    return rows.select(np.argsort(losses_of(trainer, rows), kind="stable"))


def losses_of(trainer: Any, rows: Any) -> NDArray[np.float64]:
    """Return the mean loss of the trainer's student on the learnt tokens of each row.

    `rows`: a `datasets.Dataset` with `input_ids` and `labels`. The student is left as it was.
    """
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader

    model, args = trainer.model, trainer.args
    device = next(model.parameters()).device
    loader = DataLoader(rows, batch_size=args.per_device_eval_batch_size, collate_fn=trainer.data_collator)
    was_training = model.training
    model.eval()
    losses: list[float] = []
    with torch.no_grad():
        for batch in loader:
            logits = model(
                input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)
            ).logits
            labels = batch["labels"].to(device)[:, 1:]
            of_tokens = cross_entropy(
                logits[:, :-1].float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
            )
            learnt = (labels != IGNORED).sum(1).clamp(min=1)
            losses += (of_tokens.sum(1) / learnt).tolist()
    model.train(was_training)
    return np.array(losses)
