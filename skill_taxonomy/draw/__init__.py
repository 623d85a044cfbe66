"""Random combinations: the i-th cell of a plan."""
