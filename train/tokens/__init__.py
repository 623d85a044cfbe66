"""The tokens of the rows of a training, made in batches: what TRL makes of each row alone."""
