"""Publishing a finished dataset folder on the Hugging Face Hub: one commit and one tag per version."""
