"""Reading what a user brings: datasets, YAML files, functions and classes of their own."""
