"""The OpenAI-compatible chat API: addresses, request bodies, replies."""
