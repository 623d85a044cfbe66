"""Contamination: find rows that share n-grams with evaluation sets, from a sorted index of their hashes."""
