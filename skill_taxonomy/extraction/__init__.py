"""Taxonomies pulled out of a teacher or a dataset."""
