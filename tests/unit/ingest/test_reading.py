"""Documents, links, e-mails and instants as they really arrive."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.base import Unprocessable
from services.ingest.sources.reading import comment_of, email_of, from_epoch, from_iso, identifier, link_of, parse_json


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"score=1", "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1} {}', "not JSON"),
        (b'{"a":"\xff\xfe"}', "not UTF-8"),
        ('{"a":"é"}'.encode("utf-16"), "not"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":' + b"9" * 100_000 + b"}", "out of range"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"score":1,"score":5}', "key twice"),
        (b'{"x":{"score":1,"score":5},"note":"\\u003a"}', "key twice"),
        (b'{"a":"\\ud800","b":NaN}', "not JSON"),
        (b'{"a":"\x00"}', "not JSON"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_what_is_not_one_clean_document_is_refused_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(Unprocessable, match=reason):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a":"a\\u0000b"}', "a\ufffdb"),
        (b'{"a":"cut \\ud83d"}', "cut \ufffd"),
        (b'{"a":"\\ud83d\\ude00"}', "😀"),
        (b'\xef\xbb\xbf{"a":"bom"}', "bom"),
        (b'{"a":"\\u003a"}', ":"),
        ('{"a":"שלום 👩‍👩‍👧 ‏"}'.encode(), "שלום 👩‍👩‍👧 ‏"),
        (b'{"a":"<b>\\u0026 \\/ {{x}}</b>"}', "<b>& / {{x}}</b>"),
    ],
)
def test_texts_stay_as_written_but_for_what_no_database_keeps(body: bytes, text: str) -> None:
    assert parse_json(body) == {"a": text}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(value=json_values, escaped=st.booleans())
def test_every_document_is_read_as_the_standard_library_reads_it(value: Any, escaped: bool) -> None:
    body = json.dumps(value, ensure_ascii=escaped)
    if "\\u0000" not in body:
        assert parse_json(body.encode()) == value


def test_a_mebibyte_of_anything_is_read_at_once() -> None:
    size = 1024 * 1024
    bodies = [
        json.dumps({"comment": "é" * (size // 6)}).encode(),
        json.dumps({"comment": ":" * size}).encode(),
        json.dumps({"comment": "\x00" * (size // 6)}).encode(),
        json.dumps({f"k{number}": number for number in range(60_000)}).encode(),
        json.dumps([[]] * (size // 4)).encode(),
    ]
    began = time.perf_counter()
    for body in bodies:
        parse_json(body)
    assert time.perf_counter() - began < 15


def test_long_junk_is_no_link_and_no_address_at_once() -> None:
    began = time.perf_counter()
    for junk in ("a." * 500_000, "a" * 1_000_000, "http://" + "x" * 1_000_000, "@" * 1_000_000, "a@" * 500_000):
        assert link_of(junk) is None
        assert email_of(junk) is None
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("acme.zendesk.com/agent/tickets/1", "https://acme.zendesk.com/agent/tickets/1"),
        ("http://desk.example/1?x=1#y", "http://desk.example/1?x=1#y"),
        (" https://desk.example ", "https://desk.example"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example", None),
        ("https://desk.example/<!channel>", None),
        ("call me", None),
        ("", None),
        (None, None),
    ],
)
def test_only_web_links_are_links(given: str | None, link: str | None) -> None:
    assert link_of(given) == link


@pytest.mark.parametrize(
    ("given", "email"),
    [
        (" mia@nordwind.example ", "mia@nordwind.example"),
        ("jürgen@müller.example", "jürgen@müller.example"),
        ("+49 30 1234", None),
        ("Mia <mia@nordwind.example>", None),
        ("@", None),
        ("x" * 400 + "@y.example", None),
        ("x@" + "y" * 256 + ".example", None),
        ("", None),
    ],
)
def test_only_addresses_are_addresses(given: str, email: str | None) -> None:
    assert email_of(given) == email


@pytest.mark.parametrize(
    ("given", "instant"),
    [
        ("2026-03-02T10:41:55.672717030Z", datetime(2026, 3, 2, 10, 41, 55, 672717, UTC)),
        ("2026-03-02T10:41Z", datetime(2026, 3, 2, 10, 41, tzinfo=UTC)),
        ("2026-03-02T12:41:55.5+0200", datetime(2026, 3, 2, 10, 41, 55, 500000, UTC)),
        ("2026-03-02 10:41:55 +00:00", datetime(2026, 3, 2, 10, 41, 55, tzinfo=UTC)),
        ("2026-03-01T15:59:41.966927", datetime(2026, 3, 1, 15, 59, 41, 966927, UTC)),
        ("", None),
        (None, None),
    ],
)
def test_the_vendors_spellings_of_an_instant(given: str | None, instant: datetime | None) -> None:
    assert from_iso(given, "time") == instant


@pytest.mark.parametrize("wrong", ["soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-03-02T25:00Z"])
def test_a_time_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(Unprocessable, match="time is not"):
        from_iso(wrong, "time")


def test_epochs_come_in_seconds_milliseconds_fractions_and_strings() -> None:
    instant = datetime(2026, 3, 2, 11, 0, 10, 945000, UTC)
    assert from_epoch(1772449210945, "at", 1000) == from_epoch("1772449210.945", "at") == instant
    assert from_epoch(0, "at") is None
    for wrong in (1e300, float("nan"), "x", -1e20):
        with pytest.raises(Unprocessable):
            from_epoch(wrong, "at")


def test_ids_are_texts_of_a_length_a_database_can_index() -> None:
    assert identifier(51580, "id") == identifier(" 51580 ", "id") == "51580"
    for wrong in (None, "", "x" * 256):
        with pytest.raises(Unprocessable):
            identifier(wrong, "id")


def test_a_comment_stays_whole_and_blank_is_none() -> None:
    long = " " + "ü" * 100_000 + "\n"
    assert comment_of(long) == long
    assert comment_of(" \n\t") is None
