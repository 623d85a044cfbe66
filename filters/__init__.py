"""What is kept and why not: row filters that give a sample its reasons and signals."""
