"""Metrics of graded texts."""
