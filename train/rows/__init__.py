"""The rows of a training: where they come from, in which form a method takes them, and how sets are mixed."""
