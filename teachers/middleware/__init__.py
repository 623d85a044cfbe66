"""Layers between a request and its engine: journal, retries, concurrency limits, accounting."""
