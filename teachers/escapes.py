r"""Control characters in texts: what an unescaped backslash in JSON became, and what no text should have.

A model that writes `\frac` or `C:\new` in a JSON string, where a backslash must be doubled, writes the escapes of a
form feed and a newline. The lost backslash is restored where a LaTeX command or a path shows that it was one.
"""

import re

from skillmill.data.text.lazy_patterns import lazy_pattern

ESCAPED = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""The letter of the escape that gives each control character in JSON."""
LOST = "\u241a"
"""The symbol for substitute, which stands for a control character whose text cannot be restored."""

COMMANDS = {
    "b": "bar bbox because begin beta beth between big bigcap bigcirc bigcup bigg bigl bigoplus "
    "bigotimes bigr bigsqcup "
    "bigstar bigtriangledown bigtriangleup bigvee bigwedge binom blacksquare bmatrix bmod boldsymbol bot bowtie box "
    "boxed breve bullet bf bfseries bibitem bibliography bigskip bm bra braket",
    "f": "fbox fcolorbox flat footnote forall frac frak frown fallingdotseq figure flushleft flushright fontsize "
    "footnotesize frametitle",
    "n": "nabla natural ncong nearrow neg neq newcommand newenvironment newline newpage newtheorem "
    "nexists ngeq ngtr ni "
    "nleq nless nmid nolimits nonumber normalsize not notin nparallel nprec nrightarrow nsim "
    "nsubseteq nsucc ntriangleleft "
    "nu nwarrow ne noindent normalfont",
    "r": "raggedright raisebox rangle rbrace rbrack rceil real ref renewcommand rfloor rho right rightarrow "
    "rightharpoonup rightleftharpoons rightsquigarrow risingdotseq rm rtimes rule rvert rVert",
    "t": "tag tan tanh tau tbinom text textbf textcolor textit textrm textsc textsf textstyle texttt textwidth tfrac "
    "therefore theta thickapprox thicksim thinspace tilde times tiny title to top triangle triangledown triangleleft "
    "triangleq triangleright twoheadrightarrow today toprule tableofcontents",
}
"""The commands of LaTeX that begin like an escape of JSON, by the letter of the escape."""
WORDS = frozenset("e u i o an op ot eg ext itle iny oday ag mid less sim prec parallel exists angle".split())
"""What a tab or newline may precede in good texts: only mathematics around it shows that it was a command."""
FOLDERS = (
    r"n(?:ew\w*|otes?\w*|ode\w*|ginx|etworks?|ames?|ested|pm|uget|umpy|ull|ormal)|"
    r"t(?:emp\w*|e?mp|ests?\w*|ools?\w*|ables?|raining|asks?|exts?|humbs?|rash|ree|op|wo|hree|ess\w*)"
)
"""Names of folders and files, of which `n` or `t` was lost and whose rest begins no word."""

_CONTROL = lazy_pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CANDIDATE = lazy_pattern("([\b\f\n\r\t])(?=[A-Za-z])")
_TAILS = {
    character: lazy_pattern(
        rf"(?:{'|'.join(sorted((c[1:] for c in COMMANDS[letter].split()), reverse=True))})(?![a-zA-Z])"
    )
    for character, letter in ESCAPED.items()
}
_PATH = lazy_pattern("(?<![A-Za-z0-9])(?:[A-Za-z]:|%[A-Za-z]+%)(?:(?:\\\\|[\b\f\n\r\t])[\\w.$%-]+)+")
_MARK = lazy_pattern(r"([\b\f\n\r\t])([\w.$%-]+)")
_NAME = lazy_pattern(rf"(?:{FOLDERS})(?!\w)")


def restore_backslashes(text: str) -> str:
    r"""Return the text with backslash and letter where JSON's escapes ate them, in LaTeX and Windows paths.

    A backspace or a form feed before letters is restored in any command; a tab or a newline only where the letters
    after it are no word, or where mathematics is around it ("$x \to 0$").
    """
    if not _CANDIDATE.search(text):
        return text
    text = _PATH.sub(_restored_path, text)
    return _CANDIDATE.sub(lambda found: _restored_command(found, text), text)


def without_control_characters(text: str) -> str:
    """Return the text without control characters other than newline and tab.

    NUL is dropped, other ends of lines and pages become newlines, and the rest becomes `LOST`.
    """
    if not _CONTROL.search(text):
        return text
    text = re.sub("\r\n?|\x85|(?<!\\S)[\x0b\x0c](?=\\s|\\Z)", "\n", text.replace("\0", ""))
    return _CONTROL.sub(LOST, text)


def _restored_path(path: re.Match[str]) -> str:
    """Return a path with its backslashes; a newline or tab and a word after "Vitamin C:" or a path is none of it."""

    def restored(mark: re.Match[str]) -> str:
        letter = ESCAPED[mark[1]]
        certain = mark[1] not in "\n\t" or _NAME.match(letter + mark[2])
        return f"\\{letter}{mark[2]}" if certain else mark[0]

    return _MARK.sub(restored, path[0])


def _restored_command(found: re.Match[str], text: str) -> str:
    character = found[1]
    command = _TAILS[character].match(text, found.end())
    if command is None:
        return character
    may_be_word = character in "\n\t" and command[0] in WORDS and text[command.end() : command.end() + 1] != "{"
    if may_be_word and not _in_mathematics(text, found.start()):
        return character
    return "\\" + ESCAPED[character]


def _in_mathematics(text: str, position: int) -> bool:
    r"""Return whether the position is inside one line of `$ … $` or `\( … \)`; a line may end after `$$`."""
    if text[max(0, position - 1) : position] not in ("$", " ", "(", "^", "_") or text.startswith(
        "$$", max(0, position - 2)
    ):
        return False
    before, after = text[max(0, position - 300) : position], text[position + 1 : position + 300]
    before, after = before.rsplit("\n\n", 1)[-1], after.split("\n\n", 1)[0]
    in_dollars = before.count("$") % 2 == 1 and "$" in after
    return in_dollars or before.count("\\(") > before.count("\\)") or before.count("\\[") > before.count("\\]")
