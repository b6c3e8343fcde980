"""The published test vectors of the signature schemes, and what may not pass for one."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from services.ingest import signatures
from services.ingest.signatures import DEFAULT_WINDOW, InvalidSignature
from tests.support.signing import qualtrics_form, sign

GITHUB_KEY = "It's a Secret to Everybody"
GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
STANDARD_KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_AT = datetime.fromtimestamp(1614265330, UTC)
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def standard(headers: dict[str, str], secret: str = STANDARD_KEY, at: datetime = STANDARD_AT) -> None:
    signatures.standard(headers, STANDARD_BODY, [secret], at, DEFAULT_WINDOW)


def test_the_published_github_vector_holds() -> None:
    signatures.plain({"x-hub-signature-256": GITHUB}, b"Hello, World!", [GITHUB_KEY], signatures.GITHUB)
    signatures.plain(
        {"x-hub-signature-256": GITHUB.upper().replace("SHA", "sha")}, b"Hello, World!", [GITHUB_KEY], signatures.GITHUB
    )


def test_the_older_github_header_alone_is_not_enough() -> None:
    sha1 = sign("intercom", b"Hello, World!", GITHUB_KEY, NOW)
    with pytest.raises(InvalidSignature, match="x-hub-signature-256 is missing"):
        signatures.plain(sha1, b"Hello, World!", [GITHUB_KEY], signatures.GITHUB)


@pytest.mark.parametrize("secret", [STANDARD_KEY, f"whsec_{STANDARD_KEY}", "whsec_" + STANDARD_KEY.rstrip("=")])
def test_the_published_standard_webhooks_vector_holds(secret: str) -> None:
    standard(STANDARD, secret)


def test_a_list_of_signatures_holds_by_any_that_is_ours() -> None:
    many = f"v1a,abc v1,{b64encode(b'x' * 32).decode()} {STANDARD['webhook-signature']} v2,zzz"
    standard({**STANDARD, "webhook-signature": many})


def test_the_older_svix_names_hold() -> None:
    standard({name.replace("webhook", "svix"): value for name, value in STANDARD.items()})


@pytest.mark.parametrize("version", ["v1a", "v2", "", "V1"])
def test_another_version_of_the_standard_signature_is_no_signature(version: str) -> None:
    value = STANDARD["webhook-signature"].partition(",")[2]
    with pytest.raises(InvalidSignature):
        standard({**STANDARD, "webhook-signature": f"{version},{value}"})


def test_a_secret_that_is_not_base64_opens_nothing() -> None:
    with pytest.raises(InvalidSignature):
        standard(STANDARD, "whsec_not base64!")


def test_the_reference_library_agrees_with_us() -> None:
    body, key = '{"a": "é"}', f"whsec_{STANDARD_KEY}"
    value = Webhook(key).sign("msg_1", NOW, body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": value}
    signatures.standard(headers, body.encode(), [key], NOW, DEFAULT_WINDOW)


def test_zendesk_signs_timestamp_then_body_with_the_secret_as_it_is_written() -> None:
    # The order of an older page of Zendesk's, body then timestamp, must not hold.
    headers = {
        "x-zendesk-webhook-signature": "tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw=",
        "x-zendesk-webhook-signature-timestamp": "2021-07-25T10:00:00Z",
    }
    key, body = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA=", b'{"say": "hello"}'
    at = datetime(2021, 7, 25, 10, tzinfo=UTC)
    with pytest.raises(InvalidSignature, match="does not match"):
        signatures.zendesk(headers, body, [key], at, DEFAULT_WINDOW)
    signatures.zendesk(sign("zendesk", body, key, at), body, [key], at, DEFAULT_WINDOW)


def test_a_stale_delivery_with_a_wrong_signature_is_called_wrong_not_stale() -> None:
    stale = sign("zendesk", b"{}", "another", NOW - timedelta(days=1))
    with pytest.raises(InvalidSignature, match="does not match"):
        signatures.zendesk(stale, b"{}", ["secret"], NOW, DEFAULT_WINDOW)


@pytest.mark.parametrize(
    ("stamp", "why"),
    [
        ("yesterday", "malformed"),
        ("2026-03-02", "malformed"),
        ("2026-99-99T00:00:00Z", "malformed"),
        ("١٢", "malformed"),
        ("0001-01-01T00:00:00+14:00", "from our clock"),
        ("9999-12-31T23:59:59-14:00", "from our clock"),
    ],
)
def test_a_signed_timestamp_that_is_none_or_beyond_the_calendar_is_refused(stamp: str, why: str) -> None:
    value = signatures._base64("secret", stamp.encode() + b"{}", "sha256").decode()
    headers = {"x-zendesk-webhook-signature": value, "x-zendesk-webhook-signature-timestamp": stamp}
    with pytest.raises(InvalidSignature, match=why):
        signatures.zendesk(headers, b"{}", ["secret"], NOW, DEFAULT_WINDOW)


@pytest.mark.parametrize("stamp", ["nan", "inf", "1e9", "-5", "1772452800.5", "9" * 16, "9" * 400])
def test_a_signed_timestamp_that_is_no_epoch_is_refused(stamp: str) -> None:
    value = signatures._hex("secret", f"{stamp}.{{}}".encode(), "sha256").decode()
    headers = {"x-chatwoot-signature": f"sha256={value}", "x-chatwoot-timestamp": stamp}
    with pytest.raises(InvalidSignature, match="timestamp"):
        signatures.chatwoot(headers, b"{}", ["secret"], NOW, DEFAULT_WINDOW)


def test_hubspot_signs_the_public_url_with_some_escapes_decoded() -> None:
    called, signed = (
        "https://cx.example/v1/webhooks/hubspot?a=%2Fb%20c",
        "https://cx.example/v1/webhooks/hubspot?a=/b%20c",
    )
    headers = sign("hubspot", b"[]", "secret", NOW, url=signed)
    signatures.hubspot("POST", called, headers, b"[]", ["secret"], NOW, DEFAULT_WINDOW)
    with pytest.raises(InvalidSignature):
        signatures.hubspot("POST", called + "&x=1", headers, b"[]", ["secret"], NOW, DEFAULT_WINDOW)


def test_front_apps_sign_the_timestamp_too() -> None:
    headers = sign("front", b"{}", "secret", NOW)
    signatures.front_app(headers, b"{}", ["secret"], NOW, DEFAULT_WINDOW)
    with pytest.raises(InvalidSignature):
        signatures.front_app(headers, b"{ }", ["secret"], NOW, DEFAULT_WINDOW)


def test_qualtrics_signs_the_decoded_message_of_its_form() -> None:
    form = qualtrics_form('{"Status":"Complete"}', "secret").decode()
    given = form.partition("HMAC=")[2].partition("&")[0]
    signatures.qualtrics(given, '{"Status":"Complete"}', ["secret"])
    with pytest.raises(InvalidSignature):
        signatures.qualtrics(given, '{"Status":"Partial"}', ["secret"])


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer s3cret"},
        {"authorization": "bearer s3cret"},
        {"authorization": "Basic " + b64encode(b"anybody:s3cret").decode()},
        {"authorization": "Basic " + b64encode(b":s3cret").decode()},
        {"x-closeloop-token": "s3cret"},
    ],
)
def test_the_shared_secret_is_taken_in_each_documented_way(headers: dict[str, str]) -> None:
    signatures.shared_secret(headers, None, ["older", "s3cret"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "s3cret"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer S3CRET"},
        {"authorization": "Digest s3cret"},
        {"authorization": "Basic s3cret"},
        {"authorization": "Basic " + b64encode(b"s3cret").decode()},
        {"authorization": "Basic " + b64encode(b"\xff:\xff").decode()},
        {"x-closeloop-token": "s3cret "},
        {"x-closeloop-token": "sécret"},
    ],
)
def test_anything_else_is_not_the_shared_secret(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        signatures.shared_secret(headers, None, ["s3cret"])


def test_a_token_of_the_query_counts_only_where_it_is_handed_in() -> None:
    signatures.shared_secret({}, "s3cret", ["s3cret"])
    with pytest.raises(InvalidSignature):
        signatures.shared_secret({}, "", ["s3cret"])
