"""Near-duplicates: rows whose texts repeat those of a kept row, found by MinHash signatures and by embeddings."""
