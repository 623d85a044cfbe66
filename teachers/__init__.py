"""Teachers: the `Teacher` protocol, its engines, and the retries, accounting and reply journal around them."""
