"""Records, schemas, the store of shards, user input, measures of text, and the exported dataset."""
