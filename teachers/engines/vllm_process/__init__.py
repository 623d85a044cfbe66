"""Model, start-up and child processes of vLLM."""
