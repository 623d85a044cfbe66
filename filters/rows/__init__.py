"""The row filters, one file each."""
