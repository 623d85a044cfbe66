"""The features of an answer and of its instruction, which the shirker model uses. Start with `all_features.py`."""
