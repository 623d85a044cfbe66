"""What must not get into training data: e-mail addresses, phone numbers, keys and tokens, card numbers.

Four narrow patterns instead of a library: `phonenumbers` has to be told the country of a number without "+", and brings
the numbering plans of all of them; `detect-secrets` is made for files of code, line by line. A form that ordinary
numbers have (years, prices, versions, order numbers) is never taken; a bare national number is missed for it.
"""

import re
from collections.abc import Callable

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import Safety
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

_EMAIL = re.compile(
    r"(?<![\w.+%/-])[A-Za-z0-9][\w.+%-]{0,63}@(?!(?:[\w-]{1,63}\.){0,4}(?:example\.[a-z]{2,4}|(?:your)?domain\.com|test\.com|example|test|invalid)(?![\w-]|\.\w))"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,5}[A-Za-z]{2,24}(?![\w-]|:[\w/])"
)
"""Not those of domains that are there for examples (RFC 2606) or taken for them, and no `git@host:path`."""

_PHONE = re.compile(
    r"(?<![\w+./=-])(?:\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}"  # +49 30 1234567
    r"|(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([.-]))[2-9]\d\d(?(1)\1|[ .-])\d{4})"  # (415) 555-2671, 415-555-2671
    r"(?![\w=/-]|[.]\d)"
)
_FICTIONAL = re.compile(r"555\D?01\d\d$")
"""Numbers that North America keeps for stories."""
_FEWEST_DIGITS, _MOST_DIGITS = 9, 15
"""Of an international number (E.164 has 15 at most); fewer could be a sum after a plus sign."""

_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----.{0,8000}?(?:-----END (?:[A-Z]+ ){0,3}PRIVATE KEY-----|\Z)"
    r"|(?<![\w-])(?:sk|rk|pk)[-_](?:ant-|proj-|live_|test_|or-)?(?=[\w-]{0,40}?(?=[A-Za-z]{0,15}\d)[A-Za-z0-9]{16})[\w-]{20,200}"
    r"|(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,80}|github_pat_\w{22,90}|glpat-[\w-]{20,40}|hf_[A-Za-z0-9]{30,40}"
    r"|npm_[A-Za-z0-9]{36}|xox[abposr]-[\w-]{10,80}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}"
    r"|eyJ[\w-]{10,500}\.eyJ[\w-]{10,2000}\.[\w-]{10,500})(?!\w)",
    re.DOTALL,
)
"""By the marks that their makers gave them: OpenAI, Anthropic, Stripe, GitHub, GitLab, Hugging Face, npm, Slack, AWS,
Google, JSON web tokens, PEM."""

_CARD = re.compile(
    r"(?<![\w.,+#/-])(?:\d{15,16}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5})(?![\w/-]|[.,]\d)"
)
_ISSUER = re.compile(r"4|5[1-5]|2[2-7]|3[47]|30[0-5]|3[689]|35|6011|65|62")


def _is_phone(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    if _FICTIONAL.search(text):
        return False
    return not text.startswith("+") or _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return _ISSUER.match(digits) is not None and luhn(digits)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * int(d), 10)) if i % 2 else int(d) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _any(_: str) -> bool:
    return True


_MARKS = tuple(
    "-----BEGIN sk- sk_ rk- rk_ pk- pk_ ghp_ gho_ ghu_ ghs_ ghr_ github_ glpat- hf_ npm_ xox AKIA ASIA AIza eyJ".split()
)
"""One of them stands in every key: looking for them first saves the search for most texts."""

_KINDS: tuple[tuple[tuple[str, ...], str, re.Pattern[str], Callable[[str], bool]], ...] = (
    (_MARKS, "[key]", _KEY, _any),  # first: a key may hold digits that look like others
    (("@",), "[e-mail address]", _EMAIL, _any),
    (tuple("0123456789"), "[card number]", _CARD, _is_card),
    (tuple("0123456789"), "[phone number]", _PHONE, _is_phone),
)


def hide(options: Safety) -> Callable[[str], str]:
    """What each text goes through on its way out: `mask`, or nothing where the filter is off."""
    return mask if options.enabled else str


def mask(text: str) -> str:
    """The text with a word such as "[e-mail address]" in the place of each; what is masked stays as it is."""
    return masked(text)[0]


def masked(text: str) -> tuple[str, int]:
    """The masked text and how many places were masked."""
    total = 0
    for needed, word, pattern, right in _KINDS:
        if not any(mark in text for mark in needed):
            continue

        def put(match: re.Match[str], word: str = word, right: Callable[[str], bool] = right) -> str:
            nonlocal total
            if not right(match.group()):
                return match.group()
            total += 1
            return word

        text = pattern.sub(put, text)
    return text, total


def safety(sample: Sample, cell: Cell, options: Safety) -> Verdict:
    """Counts what is to be masked in instruction and answer; rejects where `action` says so.

    Masking itself is done where texts leave the run (export, report): the shards keep what decides a row.
    """
    found = masked(sample.instruction)[1] + masked(sample.response)[1]
    return verdict(Reason.SAFETY, options.action == "reject" and found > 0, personal_data=found)
