"""The form in which texts are compared, whatever their case and however their letters are encoded."""

import unicodedata


def folded(text: str) -> str:
    """Return the text in NFKC and case folded, with "'" for a typographic apostrophe.

    Composed and decomposed letters, full-width and plain letters, and letters of either case are equal afterwards.
    """
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return unicodedata.normalize("NFKC", text)
