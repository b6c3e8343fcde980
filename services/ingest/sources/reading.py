"""Reading what vendors send: JSON once, typed shapes, texts, ids, links, e-mails and instants, strictly."""

import json
import math
import re
from codecs import BOM_UTF8
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from services.ingest.sources.base import Unprocessable
from shared.events.envelope import encode_json

T = TypeVar("T")

MAX_ID = 255
MAX_EMAIL, MAX_DOMAIN = 320, 255
MAX_LINK = 2000

_decode = msgspec.json.Decoder().decode
_DELICATE = re.compile(rb"\\u00(?:00|3[aA])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACEMENT = "\ufffd"
_UNFILLED = ("{{", "<", "${")
_FIRST_MILLISECONDS = 10**11
_DIGITS = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_EMAIL = re.compile(r"[^\s@<>,;:\"]+@([^\s@<>,;:\"/]+)")
_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_BARE_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z]{2,}(?:[:/][^\s<>\"]*)?")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)

Identifier = str | int
"""Vendors write the same id as a number here and as a string there."""


def parse_json(body: bytes) -> Any:
    """The document. NUL characters and lone surrogates become U+FFFD, because PostgreSQL keeps neither.

    Raises Unprocessable when it is not JSON in UTF-8, nests too deeply, names a key twice, or holds a number that no
    computer number can be."""
    body = body.removeprefix(BOM_UTF8)
    try:
        document = _decode(body)
    except RecursionError:
        raise Unprocessable("The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Unprocessable("The body is not UTF-8.") from None
    except msgspec.DecodeError as wrong:
        if b"\\ud" not in body and b"\\uD" not in body:
            raise Unprocessable(_not_json(body, wrong)) from None
        return _parse_carefully(body)
    # Every key has its colon, so a key named twice leaves fewer of them; escaped colons and NULs need the slow way.
    if body.count(b":") != encode_json(document).count(b":") or (b"\\u00" in body and _DELICATE.search(body)):
        return _parse_carefully(body)
    return document


def _not_json(body: bytes, wrong: Exception) -> str:
    if not body.strip():
        return "The body is empty."
    return f"The body is not JSON: {str(wrong).split(' - at ')[0]}."


def _parse_carefully(body: bytes) -> Any:
    try:
        document = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
        return _cleaned(document)
    except Unprocessable:
        raise
    except RecursionError:
        raise Unprocessable("The JSON is nested too deeply.") from None
    except ValueError as wrong:
        raise Unprocessable(_not_json(body, wrong)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unprocessable("The JSON names a key twice in one object.")
    return found


def _no_constant(name: str) -> Any:
    raise Unprocessable(f"The body is not JSON: {name} is not a number.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unprocessable("The body is not JSON: a number is out of range.")
    return number


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): _cleaned(item) for key, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
    return value


def clean(text: str) -> str:
    """Text that PostgreSQL and UTF-8 can hold: NUL and lone surrogates become U+FFFD; everything else stays."""
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    if not text.isascii() and _SURROGATE.search(text):
        text = _SURROGATE.sub(_REPLACEMENT, text)
    return text


def shape(document: Any, kind: type[T]) -> T:
    """The document as `kind`. Raises Unprocessable naming the path and the type that was expected there."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as wrong:
        raise Unprocessable(str(wrong)) from None
    except RecursionError:
        raise Unprocessable("The JSON is nested too deeply.") from None


def digest(body: bytes) -> str:
    """The delivery key of vendors that send none: SHA-256 of the raw body, hex."""
    return sha256(body).hexdigest()


def state_of(record_id: str, stamp: Any, body: bytes) -> str:
    """The delivery key of vendors that send none: the record with the time (or count) of this state of it; without one
    the body itself, because a record that changes must not pass for a delivery that is repeated."""
    return identifier(f"{record_id}:{digest(body) if stamp in (None, '') else stamp}", "the delivery id")


def is_unfilled(value: Any) -> bool:
    """Whether a template's placeholder came as it is: the vendor's button for testing a webhook fills none in."""
    return isinstance(value, str) and value.lstrip().startswith(_UNFILLED)


def present(value: str | None) -> str | None:
    """The text without white space around it, None where nothing is left."""
    return (value.strip() or None) if value else None


def comment_of(value: str | None) -> str | None:
    """A comment whole and as written; None where it is blank."""
    return value if value and not value.isspace() else None


def identifier(value: Identifier | None, name: str) -> str:
    """An id as text. Raises Unprocessable where it is missing or longer than MAX_ID characters."""
    found = optional_identifier(value, name)
    if found is None:
        raise Unprocessable(f"{name} is missing.")
    return found


def optional_identifier(value: Identifier | None, name: str) -> str | None:
    if value is None:
        return None
    found = clean(value).strip() if isinstance(value, str) else str(value)
    if len(found) > MAX_ID:
        raise Unprocessable(f"{name} is longer than {MAX_ID} characters.")
    return found or None


def email_of(value: str | None) -> str | None:
    """The e-mail address, None where the text is not one (a phone number, an empty placeholder)."""
    text = present(value)
    found = _EMAIL.fullmatch(text) if text and len(text) <= MAX_EMAIL else None
    return text if found and len(found[1]) <= MAX_DOMAIN else None


def email_domain(email: str | None) -> dict[str, Any]:
    """The hint `email_domain` of an address, lower-case; empty where there is no address."""
    return {"email_domain": email.rpartition("@")[2].lower()} if email else {}


def link_of(value: str | None) -> str | None:
    """An http or https link; one without a scheme gets https. None for anything else (javascript:, free text)."""
    text = present(value)
    if text is None or len(text) > MAX_LINK:
        return None
    if _LINK.fullmatch(text):
        return text
    return f"https://{text}" if _BARE_LINK.fullmatch(text) else None


def known(**hints: Any) -> dict[str, Any]:
    """The hints that have a value."""
    return {name: value for name, value in hints.items() if value or value == 0}


class Person(msgspec.Struct):
    """Somebody as most vendors write a person."""

    id: Identifier | None = None
    name: str | None = None
    email: str | None = None


def assigned(who: Person | None, where: str) -> dict[str, Any] | None:
    """The assignee of an event; `where` is the path, for the words of a refusal."""
    if who is None:
        return None
    return person(id=optional_identifier(who.id, f"{where}.id"), name=present(who.name), email=email_of(who.email))


def asked_by(email: str | None, name: str | None = None, **hints: Any) -> dict[str, Any]:
    """The requester of an event, and what may find the account: the hints that have a value, and the domain."""
    address = email_of(email)
    hints |= email_domain(address)
    return {"requester_email": address, "requester_name": present(name), "account_hint": known(**hints)}


def person(**parts: Any) -> dict[str, Any] | None:
    """The parts of a person that have a value; None where none has."""
    return known(**parts) or None


def from_iso(value: str | None, name: str) -> datetime | None:
    """ISO 8601 with or without seconds, fraction (cut to microseconds) and colon in the offset; without an offset UTC.
    Raises Unprocessable."""
    text = present(value)
    if text is None:
        return None
    found = _ISO.fullmatch(text)
    if found is None:
        raise Unprocessable(f"{name} is not an ISO 8601 time.")
    day, minutes, seconds, fraction, zone = found.groups()
    offset = "+00:00" if zone in (None, "Z", "z", "UTC") else zone
    try:
        instant = datetime.fromisoformat(f"{day}T{minutes}:{seconds or '00'}.{(fraction or '0').ljust(6, '0')}{offset}")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unprocessable(f"{name} is not a time that exists.") from None


def from_epoch(value: float | int | str | None, name: str, per_second: int = 1) -> datetime | None:
    """Seconds (or milliseconds with `per_second=1000`) since 1970, also as a string; 0 and null are no time.
    Raises Unprocessable."""
    if value is None or value in (0, "", "0"):
        return None
    try:
        return _EPOCH + timedelta(microseconds=round(float(value) * 1_000_000 / per_second))
    except (ValueError, OverflowError, OSError, TypeError):
        raise Unprocessable(f"{name} is not a time in {'milli' if per_second == 1000 else ''}seconds.") from None


def from_either(value: float | int | str | None, name: str) -> datetime | None:
    """ISO 8601, or seconds or (after 1973) milliseconds since 1970: for templates, whose writer chose the form.
    Raises Unprocessable."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        return from_iso(value, name)
    number = float(value) if isinstance(value, str) else value or 0
    return from_epoch(value, name, 1000 if number >= _FIRST_MILLISECONDS else 1)
