"""Refreshes: the next range of a plan, filtered, exported and recorded as a version."""
