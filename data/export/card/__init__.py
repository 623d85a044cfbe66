"""The dataset card `README.md` and its plots."""
