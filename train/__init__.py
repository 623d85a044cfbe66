"""From shards to a better student: SFT and DPO with TRL. Heavy imports (torch, trl) live inside functions."""
