"""The OpenAI-compatible chat API: addresses, request bodies, replies, failures and metrics."""
