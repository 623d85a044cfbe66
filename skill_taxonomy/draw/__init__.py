"""The random cells of a plan, drawn without repetition by position."""
