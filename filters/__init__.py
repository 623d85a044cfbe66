"""What is kept and why not: row filters, plain functions from a sample and its cell to a verdict."""
