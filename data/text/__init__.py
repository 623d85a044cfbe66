"""Words, sentences, stems and n-grams of a text. Nothing here decides anything."""
