"""Checking a taxonomy, finding and merging duplicates, and editing its file."""
