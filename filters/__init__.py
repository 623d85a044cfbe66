"""Decide which rows are kept: row filters, near-duplicates, grading, user-defined filters and overrides."""
