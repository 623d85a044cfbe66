"""E-mail addresses, phone numbers, keys and card numbers go; ordinary numbers and code stay."""

import itertools
import random
import re
import string

import phonenumbers
import pytest
import stdnum.numdb
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban

from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.rows.safety import Safety, mask, masked, masker
from skillmill.skill_taxonomy.cells import Cell

CELL = Cell("instruct_skill_mix", 0, (), None, None, 1)
# Put together here, so that no scanner of repositories takes them for leaked ones.
TOKENS = {
    "openai": "sk-" + "aB3dE5gH7jK9mN1pQ3sT5vX7" * 2,
    "openai project": "sk-proj-" + "aB3dE5gH7jK9mN1pQ3_sT5vX7-aB3dE5gH7jK9mN1p",
    "anthropic": "sk-ant-" + "api03-" + "aB3dE5gH7jK9mN1pQ3sT5vX7",
    "stripe": "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "github": "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vX7aB3dE5gH7jK9",
    "huggingface": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "aws": "AKIA" + "J7QX5RZLT2MWPK4D",
    "google": "AIza" + "SyA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1v",
    "slack": "xoxb-" + "123456789012-aBcDeFgHiJkL",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "slack app": "xapp-" + "1-A1B2C3D4E5F-1234567890123-0a1b2c3d4e5f6a7b8c9d",
    "slack hook": "hooks.slack." + "com/services/T1A2B3C4D/B5E6F7G8H/aBcDeFgHiJkLmNoPqRsTuVwX",
    "google client": "GOCSPX-" + "aB3dE5gH7jK9mN1pQ3sT5vX7yZ9b",
    "google access": "ya29." + "aB3dE5gH7jK9mN1pQ3sT5vX7yZ9baB3dE5gH7jK9",
    "pypi": "pypi-" + "AgEIcHlwaS5vcmcCJDhhYTZkN2Y4LTRlYzEtNDZiYS1hZDM1",
    "sendgrid": "SG." + "aB3dE5gH7jK9mN1pQ3sT5v." + "aB3dE5gH7jK9mN1pQ3sT5vX7yZ9baB3dE5gH7jK9mN1",
    "pgp": "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP " + "PRIVATE KEY BLOCK-----",
    "pem": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\nABCD==\n-----END RSA " + "PRIVATE KEY-----",
}


MASKS = ("[e-mail address]", "[phone number]")


@pytest.mark.parametrize("name", TOKENS)
def test_keys_and_tokens_go(name: str) -> None:
    assert mask(f"Set KEY={TOKENS[name]} and restart.") == "Set KEY=[key] and restart."


@pytest.mark.parametrize("name", ["aws_secret_access_key = ", 'AWS_SECRET_ACCESS_KEY="', "'SecretAccessKey': '"])
def test_an_aws_secret_is_known_by_its_name_alone(name: str) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG+" + "bPxRfiCYzLq8TtVw2K"
    assert mask(f"{name}{secret}\n") == f"{name}[key]\n"
    assert mask(f"sha1: {secret}\n") == f"sha1: {secret}\n"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Write to anna.berg+news@mail.kiosk.de.", "Write to [e-mail address]."),
        ("<o'neil@uni-ulm.de>, (x@y.co)", "<o'[e-mail address]>, ([e-mail address])"),
        ("Call +49 30 901820, or +442079460958!", "Call [phone number], or [phone number]!"),
        (
            "Call (415) 738-2671 or 415-738-2671 or 1-415-738-2671.",
            "Call [phone number] or [phone number] or [phone number].",
        ),
        (
            "Mail -joe@firm.com, info@bücher.de or a@x.org/b@x.org",
            "Mail -{0}, {0} or {0}/{0}".format("[e-mail address]"),
        ),
        ("**joe@firm.com**, *joe@firm.com* (+49 30 901820)", "**{0}**, *{0}* ({1})".format(*MASKS)),
        ("(+49) 30 901820, 415\u2011738\u20112671, +44\u00a020\u00a07946\u00a01958", "{1}, {1}, {1}".format(*MASKS)),
        (
            "Phone: 4157382671. Tel. 020 7946 1958; my cell phone number is (089) 1234567",
            "Phone: {1}. Tel. {1}; my cell phone number is {1}".format(*MASKS),
        ),
        ("IBAN DE89 3704 0044 0532 0130 00, GB29NWBK60161331926819.", "IBAN [account number], [account number]."),
        ("Card 4539\u00a01488\u00a00343\u00a06467", "Card [card number]"),
        (
            "Card 4539 1488 0343 6467, 4539148803436467, 3782-822463-10005.",
            "Card [card number], [card number], [card number].",
        ),
    ],
)
def test_addresses_and_numbers_go(text: str, safe: str) -> None:
    assert mask(text) == safe
    assert mask(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "In 1989 2,500,000 people paid $1,299.99, or 12.5 % of 4 000 000 000 000.",
        "Order 4539148803436468 has a wrong check digit; order 1234567890123452 no issuer.",
        "From 2019-05-17 to 2020-12-31, 10:30-12:45, pages 415-738, version 3.11.4, IP 192.168.100.200.",
        "ISBN 978-3-16-148410-0, EAN 4006381333931, 1732420000000 milliseconds, pi is 3.141592653589793.",
        "Ask jane@example.com, root@mail.example.org or me@shop.test. Clone git@github.com:org/repo.git.",
        "Call 555-0123 or (212) 555-0147 or (555) 555-5555: numbers for stories.",
        "Growth of +250 000 000 people, +1 000 000 000 bees, +1 234 567 890 and +100 200 300 400 drops.",
        "y = x@w.transpose(0, 1) + x@self.weight; this@Main.finish(); ssh -T git@github.com",
        "Phone: 2024-05-17 10:30. Samsung mobile 2019 2020 2021. The cell. 1989 was a year. Fax: 12 pages.",
        "IBAN DE89 3704 0044 0532 0130 01 has wrong check digits; VIN 1HGCM82633A004352, AB12CDEF345678901.",
        "pk_user_id_1234567890123456 is a column.",
        "@decorator def f(a=+1, b=2**31): return a@b  # user@host",
        "x = sk_learn_model_selection_version_2_test; class='sk-folding-cube-grid-item-number-10'",
        "hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "The sum is +1 234 567, minus 12 345; 2 + 2 = 4; 100-200-3000; 3/4/2024.",
        "Set OPENAI_API_KEY=sk-your-key-here-and-nothing-else in the file.",
    ],
)
def test_ordinary_numbers_and_code_stay(text: str) -> None:
    assert masked(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Her number is 030 901820 and 0171 2345678.", "Her number is {1} and {1}."),
        ("Téléphonez au 06 12 34 56 78 ou au 01.42.68.53.00.", "Téléphonez au {1} ou au {1}."),
        ("Ring 020 7946 1958 or 030/901820.", "Ring {1} or {1}."),
        ("Call me at 01712345678 tomorrow.", "Call me at {1} tomorrow."),
        ("اتصل على 0501234567 غدا", "اتصل على {1} غدا"),
        ("Write to maria (at) firma-nord (dot) de, please.", "Write to {0}, please."),
        ("Write to maria[at]firma.de or maria at firma dot com.", "Write to {0} or {0}."),
        ("Her social security number is 536-22-8841.", "Her social security number is [identity number]."),
        ("PESEL is 44051401359, NIF 12345678Z", "PESEL is [identity number], NIF [identity number]"),
        (
            "CPF: 390.533.447-05; passport number: C01X00T478",
            "CPF: [identity number]; passport number: [identity number]",
        ),
        ("password: hunter2-Long!77 for the router", "password: [password] for the router"),
        ('The Wi-Fi password is "boo1234".', 'The Wi-Fi password is "[password]".'),
        ("BTC bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq now", "BTC [wallet address] now"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa was the first.", "[wallet address] was the first."),
        ("Send to 0x52908400098527886E0F7030069857D2E4169EE7.", "Send to [wallet address]."),
    ],
)
def test_data_that_a_label_or_a_national_form_tells_is_masked(text: str, safe: str) -> None:
    for place, mark in enumerate(MASKS):
        safe = safe.replace(f"{{{place}}}", mark)
    assert mask(text) == safe
    assert mask(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "Version 1.212.555.1234 of the driver, firmware 1.415.738.2671.",
        "01 02 03 04 05 are the first, 05 10 15 20 25 the next. Order 00123 45678; batch 0.171 234567.",
        "Use 123-45-6789 as a sample, 000-12-3456 and 415-738-26 as wrong ones; 390.533.447-06 is no CPF.",
        "The passport number is needed. The NIF is a tax number. Nie 12 dni. SSN 12345.",
        "password: required. Password=os.environ['KEY1']. The password is [password]. The password is forgotten.",
        "We met at (the) station dot one, at noon. Look at it; dot dot dot. array[at] (dot) x",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb has a wrong checksum; commit 9fceb02d0ae598e95dc970b74767f19372d61af8.",
        "The constant 0123456789; number 12345678901; 0.0123456789 is small; id 00000000000.",
    ],
)
def test_numbers_and_words_near_to_such_data_stay(text: str) -> None:
    assert masked(text) == (text, 0)


def test_accounts_of_all_countries_go() -> None:
    """The registry of python-stdnum is the list of countries; the numbers are made here, with their check digits."""
    dice = random.Random(0)
    letters = {"n": "0123456789", "a": "ABCDEFGH", "c": "0123456789ABCDEF"}
    left = []
    countries = 0
    for country in map("".join, itertools.product(string.ascii_uppercase, repeat=2)):
        form = stdnum.numdb.get("iban").info(country + "0" * 32)[0][1].get("bban")
        if form is None:
            continue
        countries += 1
        fields = re.findall(r"(\d+)!([nac])", form)
        account = "".join(dice.choice(letters[kind]) for size, kind in fields for _ in range(int(size)))
        number = f"{country}{iban.calc_check_digits(f'{country}00{account}')}{account}"
        texts = (number, iban.format(number), iban.format(number, "-"))
        left += [text for text in texts if mask(f"IBAN {text}.") != "IBAN [account number]."]
    assert countries >= 89
    assert left == []


def test_international_phone_numbers_of_all_countries_go() -> None:
    left = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if number is not None:
            text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
            left += [text] * (mask(f"Call {text} now.") != "Call [phone number] now.")
    assert all("555-01" in text for text in left)  # reserved for fiction


@given(st.text(alphabet="ab@.-_+ ()0123456789sk\n", max_size=80) | st.text(max_size=80))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


QUESTION = "How do I reach anna@kiosk.de about the bees?"
ANSWER = (
    "Ring her on +49 30 901820 before noon, for she is with the hives later. If she does not answer, leave a short "
    "message that says who you are and what you saw: how many bees, where they sat, and since when."
)


def test_by_default_a_row_is_accepted_and_what_will_be_masked_is_counted() -> None:
    decided = apply_filters(Sample(QUESTION, ANSWER), CELL, FiltersConfig())
    assert decided.accepted
    assert decided.signals["personal_data"] == 2


def test_such_rows_can_be_rejected_or_left_unchecked() -> None:
    strict = FiltersConfig.model_validate({"safety": {"action": "reject"}})
    assert apply_filters(Sample(QUESTION, ANSWER), CELL, strict).reasons == (Safety.reason,)
    off = FiltersConfig(safety=Safety(enabled=False))
    assert masker(off.safety)(QUESTION) == QUESTION and masker(strict.safety)(QUESTION) == mask(QUESTION)
    assert "personal_data" not in apply_filters(Sample(QUESTION, ANSWER), CELL, off).signals
    assert Safety(action="reject").check(Sample("How many?", "In 1989, 12."), CELL).reasons == ()


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a@", "1", "1 ", "+1-", "(2", "sk-", "a.", "eyJa", "-----BEGIN PRIVATE KEY-----", "4539 "]
)
def test_long_texts_take_no_time_to_speak_of(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    noise = "".join(random.Random(1).choices("a@.-+() 0123456789", k=100_000))
    assert len(mask(text)) <= len(text) + 16 * text.count(piece)
    assert masked(noise)[1] >= 0
