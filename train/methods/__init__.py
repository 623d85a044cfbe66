"""The training methods: SFT, and DPO, KTO and GRPO, which can continue it. Each has a file with its trainer."""
