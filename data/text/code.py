"""Code inside prose: the parts of a text that are quoted in Markdown code blocks, code spans or indented blocks."""

import re

CODE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}+|~{3,}+)[^\n]*+\n.*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(?P<ticks>`{1,3})(?!`)(?:[^`\n]|\n(?!\n))+?(?P=ticks)(?!`)"
    r"|^(?: {4}|\t)[^\n]*$",
    re.DOTALL | re.MULTILINE,
)


def without_code(text: str) -> str:
    """Return the text with a space for each character of its Markdown code, so that positions stay the same."""
    if "`" not in text and "~~~" not in text and "    " not in text and "\t" not in text:
        return text
    return CODE.sub(lambda code: " " * len(code[0]), text)
