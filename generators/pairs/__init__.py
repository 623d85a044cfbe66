"""Sources, checks and construction of preference pairs."""
