"""What is seen of a training: the held-out loss, tokens per second, the time left, and cut answers."""
