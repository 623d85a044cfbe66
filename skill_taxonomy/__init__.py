"""Taxonomies of skills, topics and query types: sources, formats, curation, and the draw of random cells."""
