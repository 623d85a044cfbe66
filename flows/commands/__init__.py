"""The work of the commands that are no step of a run, a file a command; `taxonomy_` and `filters` are groups."""
