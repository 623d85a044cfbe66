"""Generators, which turn cells into samples, and the sources of preference pairs."""
