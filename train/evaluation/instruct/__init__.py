"""Instruct evaluation without an API: a student's answers to held-out instructions against reference answers.

A grader compares each answer with the reference in both orders (`judge.py`); `metrics.py` makes win rates of its
verdicts, `length_control.py` the win rate without the effect of length.
"""
