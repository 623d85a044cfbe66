"""Preference pairs: an accepted answer and a worse one to the same prompt."""
