"""Checking, merging and editing a taxonomy."""
