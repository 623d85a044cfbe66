"""Rows that hold texts of evaluation sets."""
