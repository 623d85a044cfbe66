"""What every request passes on its way to an engine: journal, retries, concurrency limits, accounting."""
