"""User input: datasets, YAML files, Python modules, and the wording of validation errors."""
