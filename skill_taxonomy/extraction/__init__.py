"""Taxonomies that a teacher extracts from its own knowledge or from a dataset."""
