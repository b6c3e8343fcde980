"""Slack's request signatures: the published example, rotation, and junk that must answer "no" (never an error)."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.router.slack.signatures import secrets_of, verified

# The example of https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = "1531420618"
SIGNED = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
NOW = datetime.fromtimestamp(int(STAMP), UTC)


def test_the_published_example_is_accepted() -> None:
    assert verified(BODY, STAMP, SIGNED, (SECRET,), NOW)


def test_during_a_rotation_both_secrets_count() -> None:
    secrets = secrets_of(SecretStr(f"new-one, {SECRET}"))
    assert verified(BODY, STAMP, SIGNED, secrets, NOW)
    assert not verified(BODY, STAMP, SIGNED, secrets_of(SecretStr("new-one")), NOW)


def test_without_a_secret_nothing_is_accepted() -> None:
    empty = hmac.new(b"", b"v0:" + STAMP.encode() + b":" + BODY, hashlib.sha256).hexdigest()
    for unset in (None, SecretStr(""), SecretStr(" , ")):
        assert not verified(BODY, STAMP, f"v0={empty}", secrets_of(unset), NOW)


@pytest.mark.parametrize("age", [timedelta(minutes=5, seconds=1), timedelta(minutes=-5, seconds=-1)])
def test_a_request_is_good_for_five_minutes(age: timedelta) -> None:
    assert not verified(BODY, STAMP, SIGNED, (SECRET,), NOW + age)
    assert verified(BODY, STAMP, SIGNED, (SECRET,), NOW + age * 0.9)


@pytest.mark.parametrize(
    ("body", "stamp", "signature"),
    [
        (BODY, "soon", SIGNED),
        (BODY, "", SIGNED),
        (BODY, None, SIGNED),
        (BODY, "9" * 5000, SIGNED),
        (BODY, STAMP, None),
        (BODY, STAMP, ""),
        (BODY, STAMP, "v0=süß"),
        (BODY, STAMP, SIGNED.upper()),
        (b"\xff\xfe" + BODY, STAMP, SIGNED),
        (BODY + b" ", STAMP, SIGNED),
    ],
)
def test_junk_is_refused(body: bytes, stamp: str | None, signature: str | None) -> None:
    assert not verified(body, stamp, signature, (SECRET,), NOW)


@given(body=st.binary(max_size=200), stamp=st.text(max_size=20), signature=st.text(max_size=80))
def test_nothing_unsigned_gets_in(body: bytes, stamp: str, signature: str) -> None:
    assert not verified(body, stamp, signature, (SECRET,), NOW)
