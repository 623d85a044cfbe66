"""Patterns for personal data without a form of its own: a label, a check digit or a national form tells it.

They are national phone numbers, identity numbers, addresses that are spelt out, passwords and wallet addresses. A
pattern's group `label` is left in the text.
"""

import hashlib
import re
from itertools import pairwise

from skillmill.data.text.lazy_patterns import lazy_pattern

NATIONAL_PHONE = lazy_pattern(
    r"(?<![\w.,+/#:=-])(?:"
    r"0[1-9](?:[ .\u00a0]\d\d){4}(?![ .\u00a0]\d)"  # 06 12 34 56 78: France
    r"|0[1-9]\d{1,3}[ /\u00a0]\d{6,8}"  # 0171 2345678, 030/901820: Germany, Austria, Switzerland
    r"|0[1-9]\d{1,3} \d{3,4} \d{3,4}"  # 020 7946 1958: the United Kingdom and others
    r")(?![\w=/-]|[.,:]\d| ?[%€$£])"
)
"""A national number with its leading zero and in the groups of its country."""
LABELLED_NATIONAL_PHONE = lazy_pattern(
    r"(?P<label>\b(?:(?:phone |mobile |telephone )?number(?:s)?(?: is| are|:)|(?:call|ring|text|dial|reach)(?: me"
    r"| us| her| him| them)?"
    r"(?: (?:at|on|under))?|t[ée]l[ée]phone[rz]?(?:-moi)?(?: au| à|:)?|appele[rz](?:-moi)?(?: au)?|tél\.?:?"
    r"|telefon(?:nummer)?:?"
    r"|rufnummer:?|handy(?:nummer)?:?|tel[eé]fono:?|ll[aá]m(?:e|a|ar)(?:me)?(?: al)?|telefone:?|celular:?|اتصل على"
    r"|هاتف:?|电话[:：]?|手机[:：]?)\s{0,2})"
    r"0\d{8,11}(?![\w=/-]|[.,:]\d)",
    re.IGNORECASE,
)
"""A national number without spaces, which only its label tells from other numbers."""

SPELT_EMAIL = lazy_pattern(
    r"(?<![\w@.])\w[\w.+-]{0,63}(?: ?[\[({<] ?(?:at|ät) ?[\])}>] ?[\w-]{1,63}"
    r"(?:(?: ?[\[({<] ?(?:dot|punkt|point|punto|ponto) ?[\])}>] ?|\.)[\w-]{1,63}){1,4}"
    r"| at [\w-]{1,63}(?: dot [\w-]{1,63}){0,2} dot (?:com|org|net|info|io|edu|gov|[a-z]{2}))(?![\w@])",
    re.IGNORECASE,
)
"""maria (at) firm (dot) de, maria[at]firm.de, maria at firm dot de."""

IDENTITY_NUMBER = lazy_pattern(
    r"(?=\d)(?<![\w.-])(?:(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}|\d{3}\.\d{3}\.\d{3}-\d\d)(?![\w-]|[.]\d)"
)
"""A social security number of the United States, or a CPF of Brazil."""
LABELLED_IDENTITY_NUMBER = lazy_pattern(
    r"(?P<label>(?<!\w)(?:(?i:social security|national insurance|passport|tax (?:id|identification)|identity card"
    r"|driving licen[cs]e"
    r"|driver's licen[cs]e|codice fiscale|personnummer|aadhaar|pesel|steuer-?id|personalausweis)|SSN|NIF|NIE|DNI|CPF"
    r"|CNP|BSN|NINO|NIR|ITIN|AHV)"
    r"(?i: (?:number|no\.?|nummer))?(?: is|:| =|=|#)?\s{1,2}|(?<!\w)(?:SSN|NIF|NIE|DNI|CPF|PESEL)[:=#])"
    r"[A-Z\d](?:[ .\-/]?[A-Z\d]){5,17}(?![\w-])"
)
"""An identity number after its name."""

PASSWORD = lazy_pattern(
    r"(?P<label>(?<!\w)(?:password|passwort|passwd|pwd|passphrase|passcode|contraseña|mot de passe|wachtwoord|senha"
    r"|hasło)"
    r"(?: (?:is|lautet|est|es)|\"?\s?[:=])\s{0,2}[\"'`]?)[^\s\"'`<>\[\]{}()$%]{6,64}(?<![.,;:!?])",
    re.IGNORECASE,
)
"""A password after its name. `is_password` tells it from a word."""

WALLET = lazy_pattern(
    r"(?<![\w/])(?:bc1[ac-hj-np-z02-9]{25,59}|0x[0-9a-fA-F]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,33})(?![\w])"
)
"""An address of Bitcoin or Ethereum."""

_SAMPLES = {"123-45-6789", "078-05-1120", "219-09-9999"}
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def is_national_phone(text: str) -> bool:
    """Return whether the number is no list such as "01 02 03 04 05"."""
    pairs = [int(pair) for pair in re.findall(r"\d\d", text)] if re.fullmatch(r"\d\d(?:\D\d\d)+", text) else []
    return len(re.sub(r"\D", "", text)) >= 9 and (
        not pairs or len({later - earlier for earlier, later in pairwise(pairs)}) > 1
    )


def is_identity_number(text: str) -> bool:
    """Return whether the number is no usual example and, for a CPF, has correct check digits."""
    if "." not in text:
        return text not in _SAMPLES
    from stdnum.br import cpf

    return cpf.is_valid(text)


def has_six_digits(text: str) -> bool:
    """Return whether the text has six digits or more, as identity numbers have."""
    return sum(character.isdigit() for character in text) >= 6 and text not in _SAMPLES


def is_password(text: str) -> bool:
    """Return whether the text has letters and digits, as a password has and an explanation does not."""
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def is_wallet(text: str) -> bool:
    """Return whether an address in Base58 has its correct checksum; other forms have none that is checked here."""
    if text.startswith(("bc1", "0x")):
        return True
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    if number >= 1 << 200:
        return False
    content = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(content[:21]).digest()).digest()[:4] == content[21:]
