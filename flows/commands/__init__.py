"""The commands that are no step of a run."""
