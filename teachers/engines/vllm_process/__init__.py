"""Starting vLLM: its model, its engine, its child processes."""
