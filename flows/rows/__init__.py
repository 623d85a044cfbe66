"""The rows of a run: generate them, decide them, grade them, find duplicates, make pairs."""
