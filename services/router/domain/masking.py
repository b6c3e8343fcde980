"""Hides card numbers, IBANs, keys and passwords in what people wrote and leaves all else; linear in the length."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from services.router.domain.view import CaseView, EntryView, ResponseView, TouchView

HIDDEN = "[hidden]"
IBAN, KEY = "[iban-hidden]", "[key-hidden]"

_DIGITS = re.compile(r"\d(?:[ -]?\d)*")
_PIECES = re.compile(r"\d+")
_CARD_LENGTHS = range(13, 20)
# Visa, Mastercard, Amex, Diners, JCB, Discover, UnionPay: https://en.wikipedia.org/wiki/Payment_card_number
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|"
    r"3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|(?:6011|65\d\d|64[4-9]\d|62\d\d)\d{12,15}"
)
_BY_FOUR, _BY_FOUR_SIX = (4, 4, 4), (4, 6)
_NUMBER_OF_SOMETHING = re.compile(
    r"(?:order|invoice|ticket|tracking|parcel|shipment)s?(?:[ -]?(?:id|no|nr|number|code))?[ .:#]{0,3}$", re.IGNORECASE
)
_NAME_BEFORE = 40

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d\d(?=[ ]?[A-Za-z0-9])")
# https://www.swift.com/standards/data-standards/iban-international-bank-account-number
_IBAN_LENGTH = {
    item[:2]: int(item[2:])
    for item in (
        "AD24 AE23 AT20 BE16 BG22 BR29 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 "
        "IL23 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 RS22 SA24 SE24 SI19 SK24 SM27 "
        "TR26 UA29 "
    ).split()
}

# Nothing may start inside a word: each run of word characters is then read once.
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?|"
    r"(?<![\w-])(?:"
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}|sk-[\w-]{20,}|"
    r"gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|npm_[A-Za-z0-9]{30,}|"
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)|AIza[\w-]{30,}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|"
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
)
_NAMED = re.compile(
    r"\b(pass ?word|passwd|pwd|pass ?phrase|passwort|kennwort|mot de passe|contraseña|wachtwoord|pin(?: ?code)?|"
    r"secret|client[ _]secret|api[ _-]?key|access[ _]token|token|bearer)"
    r"([ \t]{0,3}[:=][ \t]{0,3}|[ \t]{1,3}(?:is|was|ist|lautet)[ \t]{1,3})"
    r"([^\s,;]{1,300})",
    re.IGNORECASE,
)
# Most texts have none of these, and to look for them costs a tenth of the patterns above.
_KEY_SIGNS = (
    "-----BEGIN", "sk_", "rk_", "whsec_", "sk-", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-",
    "npm_", "xox", "xapp-", "AKIA", "ASIA", "AIza", "ya29.", "SG.", "eyJ",
)  # fmt: skip
_NAME_SIGNS = (
    "pass", "pwd", "kennwort", "mot de", "contrase", "wachtwoord", "pin", "secret", "key", "token", "bearer",
)  # fmt: skip
_DIGIT = re.compile(r"\d")
_DOTTED = str.maketrans("İı", "ii")  # which the patterns take for an i
_PLAIN_MARKS = ".'’-…?!)(\"“”"


def mask(text: str) -> str:
    """The same text without what must not travel. Masking again changes nothing. Card numbers are told from order and
    telephone numbers by issuer, check digit and grouping; IBANs by country length and check digits; keys by the
    prefixes their makers gave them; passwords by the word before them."""
    if any(sign in text for sign in _KEY_SIGNS):
        text = _KEYS.sub(KEY, text)
    folded = text.translate(_DOTTED).casefold()
    if any(sign in folded for sign in _NAME_SIGNS):
        text = _NAMED.sub(_named, text)
    return _without_cards(_without_ibans(text)) if _DIGIT.search(text) else text


def masked(view: CaseView) -> CaseView:
    """What people wrote in this case, masked: comments, subjects, and the newest entry and touch."""
    return replace(
        view,
        responses=tuple(_response(response) for response in view.responses),
        touch=_touch(view.touch) if view.touch is not None else None,
        last_entry=masked_entry(view.last_entry) if view.last_entry is not None else None,
    )


def masked_entry(entry: EntryView) -> EntryView:
    return replace(entry, data={key: masked_value(value) for key, value in entry.data.items()})


def masked_value(value: Any) -> Any:
    """A text masked; anything else as it is."""
    return mask(value) if isinstance(value, str) else value


def _response(response: ResponseView) -> ResponseView:
    comment, subject = masked_value(response.comment), masked_value(response.subject)
    if comment == response.comment and subject == response.subject:
        return response
    return replace(response, comment=comment, subject=subject)


def _touch(touch: TouchView) -> TouchView:
    return replace(touch, acknowledgement=masked_value(touch.acknowledgement), next_step=masked_value(touch.next_step))


def _without_cards(text: str) -> str:
    return _DIGITS.sub(_cards, text)


def _cards(run: re.Match[str]) -> str:
    """A run of digits, spaces and dashes with the card numbers in it hidden but for their last four digits."""
    if len(run[0]) < _CARD_LENGTHS[0] or _is_other_number(run):
        return run[0]
    pieces = list(_PIECES.finditer(run[0]))
    shown, at, number = [], 0, 0
    while number < len(pieces):
        end = next((end for end in _ends(pieces, number) if _is_card(pieces[number:end])), None)
        if end is None:
            number += 1
            continue
        digits = "".join(piece[0] for piece in pieces[number:end])
        shown += [run[0][at : pieces[number].start()], f"[card-{digits[-4:]}]"]
        at, number = pieces[end - 1].end(), end
    return "".join([*shown, run[0][at:]])


def _is_other_number(run: re.Match[str]) -> bool:
    """A telephone number with its +, part of a word, or said to be an order's, a parcel's or the like."""
    before = run.string[max(0, run.start() - _NAME_BEFORE) : run.start()]
    after = run.string[run.end() : run.end() + 1]
    return before.endswith("+") or before[-1:].isalnum() or after.isalpha() or bool(_NUMBER_OF_SOMETHING.search(before))


def _ends(pieces: list[re.Match[str]], start: int) -> Iterator[int]:
    """Where a card number that starts with this piece could end: the longest first."""
    most = min(len(pieces), start + 5)
    yield from range(most, start, -1)


def _is_card(pieces: list[re.Match[str]]) -> bool:
    sizes = tuple(len(piece[0]) for piece in pieces)
    if sum(sizes) not in _CARD_LENGTHS or not _is_grouped_like_a_card(sizes):
        return False
    digits = "".join(piece[0] for piece in pieces)
    return bool(_ISSUED.fullmatch(digits)) and len(list(groupby(digits))) > 1 and _luhn(digits)


def _is_grouped_like_a_card(sizes: tuple[int, ...]) -> bool:
    if len(sizes) == 1:
        return True
    by_four = sizes[:3] == _BY_FOUR and all(size <= 4 for size in sizes)
    return by_four or (sizes[:2] == _BY_FOUR_SIX and len(sizes) == 3)


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + number % 2) for number, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _without_ibans(text: str) -> str:
    shown, at = [], 0
    for found in _IBAN_START.finditer(text):
        if found.start() < at:
            continue
        end = _iban_end(text, found.start(), _IBAN_LENGTH.get(found[1].upper(), 0))
        if end is not None:
            shown += [text[at : found.start()], IBAN]
            at = end
    return "".join([*shown, text[at:]])


def _iban_end(text: str, start: int, length: int) -> int | None:
    """Where the IBAN that starts there ends; None when none does."""
    signs, at = "", start
    while len(signs) < length and at < len(text):
        sign = text[at]
        if sign.isascii() and sign.isalnum():
            signs += sign.upper()
        elif sign != " " or text[at - 1] == " ":
            return None
        at += 1
    if not length or len(signs) < length or text[at : at + 1].isalnum():
        return None
    turned = signs[4:] + signs[:4]
    return at if int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1 else None


def _named(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    value = value.rstrip(".!?)\"'”")
    rest = found[3][len(value) :]
    ends_line = found.string[found.end() : found.end() + 1] in ("", "\n", "\r")
    if not _looks_secret(value, between, ends_line):
        return found[0]
    return f"{name}{between}{HIDDEN}{rest}"


def _looks_secret(value: str, between: str, ends_line: bool) -> bool:
    """ "password: it does not work" and "the password is case-sensitive" say nothing that must be hidden."""
    if len(value) < 4 or value.startswith(("http://", "https://", "[")):
        return False
    letters, digits = any(sign.isalpha() for sign in value), any(sign.isdigit() for sign in value)
    if not between.strip().startswith((":", "=")):
        return letters and digits and len(value) >= 6
    marks = any(not sign.isalnum() and sign not in _PLAIN_MARKS for sign in value)
    return digits or marks or ends_line
