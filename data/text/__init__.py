"""Words, sentences, stems, n-grams and embeddings of texts, for all parts of the project."""
