"""Words, sentences and n-grams of a text. Nothing here decides anything."""
