"""The weights of the built-in model, and their file formats."""
