"""The shirker score: features of an answer, the model over them, its training."""
