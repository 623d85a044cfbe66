"""Servers that `serve` starts: a command of the user that runs as long as the run."""
