"""The Hugging Face dataset folder: counts, masking, the card, the files."""
