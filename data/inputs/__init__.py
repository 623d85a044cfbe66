"""User input: datasets, files of rows, YAML files, Python modules, and the wording of validation errors."""
