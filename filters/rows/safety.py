"""Finds and masks e-mail addresses, phone and identity numbers, keys, passwords, card and account numbers.

Narrow patterns find what may be personal data; `phonenumbers` (numbers with "+") and `python-stdnum` (accounts, cards)
then know the plans and check digits of all countries. Both are imported at the first match. A number without "+" is
told by its pattern, because `phonenumbers` would need its country. Forms that ordinary numbers have (years, prices,
versions, order numbers) never match. Data that a label or a national form tells is in `identity_data.py`.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from stdnum import luhn

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch
from skillmill.filters.options import RowFilter
from skillmill.filters.rows import identity_data
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


class Safety(RowFilter):
    """Counts personal data in instruction and answer; rejects the row if `action` is `reject`.

    The shards keep the unmasked texts, from which rows are decided. Export and report mask the texts that they write.
    """

    reason = Reason("safety", "the text holds an e-mail address, a phone number, a key or a card number")
    signals = ("personal_data",)

    action: Literal["mask", "reject"] = "mask"
    """`mask`: export and report show "[e-mail address]" and the like. `reject`: the row is also rejected."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `personal_data` is the number of masked places in instruction and answer."""
        count = masked(sample.instruction)[1] + masked(sample.response)[1]
        return self.verdict(self.action == "reject" and count > 0, personal_data=count)


def masker(options: Safety) -> Callable[[str], str]:
    """Return the function that masks exported texts: `mask`, or the identity if the filter is off."""
    return mask if options.enabled else str


def mask(text: str) -> str:
    """Return the text with a placeholder such as "[e-mail address]" for each match. Masking twice changes nothing."""
    return masked(text)[0]


def masked(text: str) -> tuple[str, int]:
    """Return the masked text and the number of masked places."""
    total, possible = 0, possible_kinds(text)
    for number, kind in enumerate(KINDS if possible else ()):
        if number in possible:
            text, count = _without(kind, text)
            if count:
                total, possible = total + count, possible_kinds(text)
    return text, total


def _without(kind: "_Kind", text: str) -> tuple[str, int]:
    """Return the text with one kind of personal data masked, and the number of masked places."""
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        label = match.groupdict().get("label") or ""
        if not kind.is_valid(match.group().removeprefix(label)):
            return match.group()
        count += 1
        return label + kind.placeholder

    return kind.pattern.sub(replace, text), count


def possible_kinds(text: str) -> set[int]:
    """Return the numbers of the kinds of personal data that the text can have by its signs."""
    possible = _SIGNS.found(text) | _LOW_SIGNS.found(text.lower())
    return possible | _NUMBERS if LONG_NUMBER.search(text) else possible


_EMAIL = lazy_pattern(
    r"(?<![\w+%.])(?<!//)(?!(?:git|this|super)@)\w[\w.+%-]{0,63}@"
    r"(?!(?:[\w-]{1,63}\.){0,4}(?:example\.(?:co\.)?[a-z]{2,4}|(?:your)?domain\.com|test\.com|example|test|invalid)(?![\w-]|\.\w))"
    r"(?!self\.)[^\W_](?:[\w-]{0,62}\.){1,5}[^\W\d_]{2,24}(?![^\W_]|[-_]\w|\(|:[\w/])"
)
"""An e-mail address. Domains for examples (RFC 2606), domains that are commonly used as examples, `git@host`,
`user@host:path` and code such as `a@b.transpose()` do not match."""

_SPACE = " \u00a0\u202f"
_DASH = "\u2010\u2011\u2013-"
_BETWEEN = f"[{_SPACE}.{_DASH}]"
_GROUPS = rf"(?:{_BETWEEN}{{0,2}}(?:\(\d{{1,4}}\)|\d{{1,4}}))"
_PHONE = lazy_pattern(
    r"(?=[(+\d])(?<![Vv]ersion )(?<![Rr]elease )(?<![Bb]uild )(?<![Ff]irmware )(?<![Dd]river )"
    rf"(?<![\w+./=-])(?:(?:\(\+[1-9]\d{{0,2}}\)|\+[1-9]\d{{0,2}}){_GROUPS}{{2,5}}"  # +49 30 1234567
    rf"|(?:1{_BETWEEN})?(?:\([2-9]\d\d\)[{_SPACE}]?|[2-9]\d\d([.{_DASH}]))"  # (415) 738-2671, 415-738-2671
    rf"[2-9]\d\d(?(1)\1|{_BETWEEN})\d{{4}})"
    r"(?![\w=/-]|[.]\d)"
)
_LABELLED_PHONE = lazy_pattern(
    r"(?<![\w\[])(?P<label>(?:(?:tele|cell|mobile ?)?phone|tel|mobile|cell|fax|whatsapp)(?: (?:number|no\.))?"
    rf"(?: is|[.:=#])[{_SPACE}]{{0,2}})(?:\(\d{{1,5}}\)|\d{{1,4}}){_GROUPS}{{1,5}}(?![\w=/-]|[.:]\d)",
    re.IGNORECASE,
)
_NORTH_AMERICAN = lazy_pattern(r"1[2-9]\d\d[2-9]\d{6}$")
_FICTIONAL = lazy_pattern(r"555\D?01\d\d$|^1?\D*555\D")
"""The numbers that North America reserves for fiction, and its unassigned area code 555."""
_FEWEST_DIGITS, _MOST_DIGITS = 9, 15
"""The digits of an international number: at most 15 (E.164). A shorter number may be a sum after a plus sign."""

_KEY = lazy_pattern(
    r"-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----.{0,8000}?"
    r"(?:-----END (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|(?<![\w-])(?:sk[-_]|[rp]k_(?:live|test)_)(?=[\w-]{0,40}?(?=[A-Za-z]{0,15}\d)[A-Za-z0-9]{16})[\w-]{20,200}"
    r"|(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,80}|github_pat_\w{22,90}|glpat-[\w-]{20,40}|hf_[A-Za-z0-9]{30,40}"
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{40,300}|whsec_[A-Za-z0-9+/]{32,64}|SG\.[\w-]{22}\.[\w-]{43}"
    r"|xox[abeposr]-[\w.-]{10,200}|xapp-\d-[\w-]{20,200}|hooks\.slack\.com/services/T\w{6,12}/B\w{6,12}/\w{20,30}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{30,500}"
    r"|eyJ[\w-]{10,500}\.eyJ[\w-]{10,2000}\.[\w-]{10,500})(?!\w)",
    re.DOTALL,
)
"""A key or token with the prefix of its issuer: OpenAI, Anthropic, Stripe, GitHub, GitLab, Hugging Face, npm, PyPI,
SendGrid, Slack, AWS, Google, JSON web tokens, PEM and PGP."""
_AWS_SECRET = lazy_pattern(
    r"(?P<label>secret_?access_?key[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?)[A-Za-z0-9+/]{40}(?![\w+/=])", re.IGNORECASE
)
"""An AWS secret key. It has no prefix, so it matches only after its usual name."""

_CARD = lazy_pattern(
    rf"\d(?<![\w.,+#/-].)(?:\d{{14,15}}|\d{{3}}([{_SPACE}{_DASH}])\d{{4}}\1\d{{4}}\1\d{{4}}"
    rf"|\d{{3}}([{_SPACE}{_DASH}])\d{{6}}\2\d{{5}})(?![\w/-]|[.,]\d)"
)
_ISSUER = lazy_pattern(r"4|5[1-5]|2[2-7]|3[47]|30[0-5]|3[689]|35|6011|65|62")
_IBAN = lazy_pattern(
    rf"[A-Z]{{2}}(?<![\w-]..)\d\d(?:[A-Z0-9]{{11,30}}"
    rf"|([{_SPACE}-])[A-Z0-9]{{4}}(?:\1[A-Z0-9]{{4}}){{1,6}}(?:\1[A-Z0-9]{{1,4}})?)(?![\w-])"
)


def _is_phone(text: str) -> bool:
    """Return whether the number is no fictional one and, if it has a "+", fits the plan of its country."""
    if _FICTIONAL.search(text):
        return False
    if "+" not in text:
        return True
    import phonenumbers  # 0.1 s and 20 MB, which only runs with phone numbers need

    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return False
    digits = re.sub(r"\D", "", text)
    if phonenumbers.is_valid_number(number) or len(digits) < _FEWEST_DIGITS:
        return phonenumbers.is_valid_number(number)
    # Teachers make numbers up: of the right length, with an area code that is not assigned.
    made_up = _NORTH_AMERICAN.match(digits) if digits.startswith("1") else "000000" not in digits
    return bool(made_up) and phonenumbers.is_possible_number(number)


def _is_labelled_phone(text: str) -> bool:
    return _FEWEST_DIGITS <= len(re.sub(r"\D", "", text)) <= _MOST_DIGITS and not _FICTIONAL.search(text)


def _is_iban(text: str) -> bool:
    """Return whether the form is that of the country and the check digits are right (ISO 13616)."""
    from stdnum import iban  # reads the registry of all countries

    return iban.is_valid("".join(text.split()), check_country=False)


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return _ISSUER.match(digits) is not None and luhn.is_valid(digits)


def _any(_: str) -> bool:
    return True


LONG_NUMBER = lazy_pattern(
    r"[+\d](?:(?<=\+)[1-9]|(?:[ \u00a0\u202f.()/\u2010\u2011\u2013-]{0,2}[A-Z\d]){8}|[A-Za-z\d]{25})"
)
"""Nine digits or capitals with at most two separators between them, a country code, or 26 letters and digits."""


class _Kind(NamedTuple):
    """One kind of personal data. `is_valid` checks what the pattern matched, without its label.

    Every match contains one of `signs`, or in lower case one of `low_signs`, or, if there are neither, a match of
    `LONG_NUMBER`. Searching for them first is faster.
    """

    placeholder: str
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    signs: tuple[str, ...] = ()
    low_signs: tuple[str, ...] = ()


_MARKS = tuple(
    "-----BEGIN sk- sk_ rk_ pk_ ghp_ gho_ ghu_ ghs_ ghr_ github_ glpat- hf_ npm_ pypi- whsec_ SG. xox xapp- "
    "hooks.slack AKIA ASIA AIza GOCSPX- ya29. eyJ".split()
)
_AWS = ("access_key", "accesskey")
_PASSWORDS = tuple(
    "password|passwort|passwd|pwd|passphrase|passcode|contraseña|mot de passe|wachtwoord|senha|hasło".split("|")
)
_SPELT = tuple("(at|[at|{at|<at|(ät|[ät|{ät|<ät|( at|[ at|{ at|< at|( ät|[ ät|{ ät|< ät| dot ".split("|"))
_ACRONYMS = tuple("SSN NIF NIE DNI CPF CNP BSN NINO NIR ITIN AHV PESEL".split())
_IDENTITY = tuple(
    "social security|national insurance|passport|tax id|identity card|driving licen|driver's licen|codice fiscale"
    "|personnummer|aadhaar|pesel|steuerid|steuer-id|personalausweis".split("|")
)
_LABELS = tuple(
    f"{label}{end}" for label in ("phone", "tel", "mobile", "cell", "fax", "whatsapp") for end in (" n", " is", *".:=#")
)

KINDS = (
    _Kind("[key]", _KEY, _any, _MARKS),  # first: the digits of a key may look like another kind
    _Kind("[e-mail address]", _EMAIL, _any, ("@",)),
    _Kind("[key]", _AWS_SECRET, _any, (), _AWS),
    _Kind("[password]", identity_data.PASSWORD, identity_data.is_password, (), _PASSWORDS),
    _Kind("[e-mail address]", identity_data.SPELT_EMAIL, _any, (), _SPELT),
    _Kind("[wallet address]", identity_data.WALLET, identity_data.is_wallet),
    _Kind("[account number]", _IBAN, _is_iban),
    _Kind("[identity number]", identity_data.IDENTITY_NUMBER, identity_data.is_identity_number),
    _Kind(
        "[identity number]",
        identity_data.LABELLED_IDENTITY_NUMBER,
        identity_data.has_six_digits,
        _ACRONYMS,
        _IDENTITY,
    ),
    _Kind("[card number]", _CARD, _is_card),
    _Kind("[phone number]", _PHONE, _is_phone),
    _Kind("[phone number]", identity_data.NATIONAL_PHONE, identity_data.is_national_phone),
    _Kind("[phone number]", identity_data.LABELLED_NATIONAL_PHONE, _any),
    _Kind("[phone number]", _LABELLED_PHONE, _is_labelled_phone, (), _LABELS),
)
_SIGNS = SignSearch({number: kind.signs for number, kind in enumerate(KINDS)})
_LOW_SIGNS = SignSearch({number: kind.low_signs for number, kind in enumerate(KINDS)})
_NUMBERS = {number for number, kind in enumerate(KINDS) if not (kind.signs or kind.low_signs)}
