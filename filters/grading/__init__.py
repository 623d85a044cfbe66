"""Grading: what a model, or a rule, says of a row that the other filters accept. Begin reading at `grade.py`."""
