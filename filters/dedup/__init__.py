"""Near-duplicates: MinHash signatures and embeddings."""
