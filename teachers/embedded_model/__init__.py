"""The model that the embedded engine brings along: its weights and their formats."""
