"""Reports: where the rows fell, what a taxonomy holds."""
