"""What must not travel in a customer's words is hidden; what helps to repair things is not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain import masking
from services.router.domain.masking import mask, masked
from tests.support.case_views import entry, response, touch, view

# Put together here, so that no scanner takes these for somebody's real keys.
STRIPE = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"
GITHUB = "gh" + "p_" + "a1B2" * 9
SLACK = "xox" + "b-" + "123456789012-abcdefghijkl"
AWS = "AK" + "IA" + "IOSFODNN7EXAMPLE"
JWT = "ey" + "JhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("My card 4111 1111 1111 1111 was charged twice", "My card [card-1111] was charged twice"),
        ("4111-1111-1111-1111.", "[card-1111]."),
        ("5555555555554444", "[card-4444]"),
        ("amex 3782 822463 10005!", "amex [card-0005]!"),
        ("on 12 4111 1111 1111 1111 05/29", "on 12 [card-1111] 05/29"),
        ("pay to DE89 3704 0044 0532 0130 00 AND quickly", "pay to [iban-hidden] AND quickly"),
        ("gb82west12345698765432", "[iban-hidden]"),
        (f"our key {STRIPE}, it fails", "our key [key-hidden], it fails"),
        (f"curl -H 'X: {GITHUB}'", "curl -H 'X: [key-hidden]'"),
        (SLACK, "[key-hidden]"),
        (f"id={AWS}", "id=[key-hidden]"),
        (f"({JWT})", "([key-hidden])"),
        (f"see\n{PEM}\nthanks", "see\n[key-hidden]\nthanks"),
        ("Password: hunter", "Password: [hidden]"),
        ("password: Hunter2, user: dora", "password: [hidden], user: dora"),
        ("my password is Winter2024!", "my password is [hidden]!"),
        ("Passwort = gr!mm", "Passwort = [hidden]"),
        ("PIN: 1234 does not work", "PIN: [hidden] does not work"),
        ("api_key=abcd1234", "api_key=[hidden]"),
    ],
)
def test_what_must_not_travel_is_hidden(written: str, shown: str) -> None:
    assert mask(written) == shown


@pytest.mark.parametrize(
    "written",
    [
        "Order 4111111111111111 never came",
        "tracking no. 4111 1111 1111 1111",
        "call me: +49 1711 2345 6789 012, or 0171 2345678",
        "+4111111111111111",
        "invoice 2026-11-0042 of 12 November 2026 at 10:30",
        "1234 5678 9012 3456",
        "0000000000000000",
        "ticket 51612, error 0x80070005, uuid 123e4567-e89b-12d3-a456-426614174000",
        "A4111111111111111B is our part number",
        "the password is wrong",
        "Password: it does not work",
        "the password is case-sensitive",
        "I lost my token. Is that bad?",
        "password: https://desk.example/reset",
        "DE99 is a road",
        "risk-free, sk-based, and so on",
        "日本語 مرحبا 👩‍🚀",
    ],
)
def test_what_helps_to_repair_things_stays(written: str) -> None:
    assert mask(written) == written


@given(st.text(max_size=300))
def test_masking_again_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(alphabet=st.characters(categories=("L", "P", "Z"), exclude_characters="=:"), max_size=300))
def test_words_without_digits_and_assignments_are_never_touched(text: str) -> None:
    assert mask(text) == text


@given(st.from_regex(r"\A[1-9][0-9]{4,11}\Z"))
def test_short_numbers_are_never_touched(number: str) -> None:
    for written in (number, f"order {number}", f"+{number}", f"#{number}."):
        assert mask(written) == written


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 10**15 - 1))
def test_no_card_number_in_a_sentence_of_its_own_gets_through(before: str, after: str, body: int) -> None:
    digits = _with_check_digit(f"4{body:015d}"[:15])
    assert digits not in mask(f"{before}. My card is {digits} . {after}")


@pytest.mark.parametrize(
    "nasty",
    [
        "1 " * 50_000,
        "4111 " * 20_000,
        "9" * 100_000,
        "eyJ-" * 25_000,
        "eyJaaaaaaaaaa." * 7_000,
        "password " * 11_000,
        "DE89 " * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 3_000,
        "sk-" * 30_000,
        " " * 100_000,
        "token:" * 16_000,
    ],
)
def test_the_time_it_takes_follows_the_length(nasty: str) -> None:
    started = time.process_time()
    mask(nasty)
    assert time.process_time() - started < 3


def test_a_view_is_masked_wherever_people_wrote() -> None:
    card = "4111 1111 1111 1111"
    seen = view(
        responses=(response(comment=f"charged {card}", subject=card),),
        touch=touch(acknowledgement=f"card {card}", next_step=card),
        last_entry=entry("noted", note=card),
    )
    assert card not in str(masked(seen))


def _with_check_digit(digits: str) -> str:
    total = sum(
        value - 9 * (value > 9)
        for value in (int(digit) * (2 - number % 2) for number, digit in enumerate(reversed(digits)))
    )
    return f"{digits}{-total % 10}"


@given(st.one_of(st.from_regex(masking._NAMED), st.from_regex(masking._KEYS), st.from_regex(masking._DIGITS)))
def test_nothing_slips_past_the_quick_look(text: str) -> None:
    """Texts without any sign of a secret are not searched: whatever the patterns would find must have a sign."""
    searched = masking._NAMED.sub(masking._named, masking._KEYS.sub(masking.KEY, text))
    assert mask(text) == masking._without_cards(masking._without_ibans(searched))
