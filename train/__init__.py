"""From shards to a better student: SFT, DPO."""
