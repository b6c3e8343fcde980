"""Who sent this: every vendor's HMAC scheme and the shared secret, over raw bytes, in constant time.

Every function returns when one of the active `secrets` made the signature, and raises InvalidSignature otherwise,
whatever the headers hold. Freshness is judged only after the signature. Schemes: docs/webhooks.md.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Headers = Mapping[str, str]
Secrets = Sequence[str]
DEFAULT_WINDOW = timedelta(seconds=300)

_ISO_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_DIGITS = re.compile(r"[0-9]{1,16}")
_MOST_SIGNATURES = 16
_HUBSPOT_ESCAPES = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
_HUBSPOT_ESCAPE = re.compile("|".join(_HUBSPOT_ESCAPES), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlainScheme:
    """HMAC over the raw body. `algorithm` is sha1, sha256 or sha512, `encoding` hex or base64, after `prefix`."""

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""


INTERCOM = PlainScheme("x-hub-signature", "sha1", prefix="sha1=")
"""The secret is the app's client_secret."""
ZAMMAD = PlainScheme("x-hub-signature", "sha1", prefix="sha1=")
"""The secret is the webhook's token."""
JIRA = PlainScheme("x-hub-signature", prefix="sha256=")
GITHUB = PlainScheme("x-hub-signature-256", prefix="sha256=")
"""The older SHA-1 header alone is not enough."""
DELIGHTED = PlainScheme("x-delighted-webhook-signature", prefix="sha256=")
"""The secret is the private API key."""
TYPEFORM = PlainScheme("typeform-signature", encoding="base64", prefix="sha256=")
HELPSCOUT = PlainScheme("x-helpscout-signature", "sha1", "base64")
SURVEYMONKEY = PlainScheme("sm-signature", "sha1", "base64")
"""The secret is `client_id&client_secret`."""


class InvalidSignature(Exception):
    """The request is not from who it says; the text tells an administrator why and holds no secret."""


def zendesk(headers: Headers, body: bytes, secrets: Secrets, now: datetime, window: timedelta) -> None:
    """HMAC-SHA256, base64, of timestamp + body. https://developer.zendesk.com/documentation/webhooks/verifying/"""
    given = _header(headers, "x-zendesk-webhook-signature")
    stamp = _header(headers, "x-zendesk-webhook-signature-timestamp")
    _require(given, (_base64(secret, _utf8(stamp) + body, "sha256") for secret in secrets))
    _require_fresh(_from_iso(stamp), now, window)


def chatwoot(headers: Headers, body: bytes, secrets: Secrets, now: datetime, window: timedelta) -> None:
    """HMAC-SHA256, hex after `sha256=`, of timestamp (s) + "." + body."""
    given = _after(_header(headers, "x-chatwoot-signature"), "sha256=").lower()
    stamp = _header(headers, "x-chatwoot-timestamp")
    signed = _utf8(stamp) + b"." + body
    _require(given, (_hex(secret, signed, "sha256") for secret in secrets))
    _require_fresh(_from_epoch(stamp), now, window)


def hubspot(
    method: str, url: str, headers: Headers, body: bytes, secrets: Secrets, now: datetime, window: timedelta
) -> None:
    """Version 3: HMAC-SHA256, base64, of method + public URL with some escapes decoded + body + timestamp (ms)."""
    given = _header(headers, "x-hubspot-signature-v3")
    stamp = _header(headers, "x-hubspot-request-timestamp")
    uri = _HUBSPOT_ESCAPE.sub(lambda escape: _HUBSPOT_ESCAPES[escape[0].upper()], url)
    signed = _utf8(method + uri) + body + _utf8(stamp)
    _require(given, (_base64(secret, signed, "sha256") for secret in secrets))
    _require_fresh(_from_epoch(stamp, 1000), now, window)


def front_app(headers: Headers, body: bytes, secrets: Secrets, now: datetime, window: timedelta) -> None:
    """App webhooks: HMAC-SHA256, base64, of timestamp + ":" + body. The timestamp is in s, or in ms if it is long."""
    given = _header(headers, "x-front-signature")
    stamp = _header(headers, "x-front-request-timestamp")
    signed = _utf8(stamp) + b":" + body
    _require(given, (_base64(secret, signed, "sha256") for secret in secrets))
    _require_fresh(_from_epoch(stamp, 1000 if len(stamp) > 11 else 1), now, window)


def front_rule(headers: Headers, bodies: Sequence[bytes], secrets: Secrets) -> None:
    """Rule webhooks: HMAC-SHA1, base64, of the JSON without white space. `bodies` are the spellings it may have had."""
    given = _header(headers, "x-front-signature")
    _require(given, (_base64(secret, body, "sha1") for secret in secrets for body in bodies))


def standard(headers: Headers, body: bytes, secrets: Secrets, now: datetime, window: timedelta) -> None:
    """Standard Webhooks: a list of `v1,<base64>` of HMAC-SHA256 of id.timestamp.body, with a `whsec_` base64 secret.
    `svix-*` is the older name of the headers."""
    prefix = "svix" if "svix-signature" in headers and "webhook-signature" not in headers else "webhook"
    given = _header(headers, f"{prefix}-signature")
    stamp = _header(headers, f"{prefix}-timestamp")
    signed = _utf8(f"{_header(headers, f'{prefix}-id')}.{stamp}.") + body
    expected = [
        b64encode(_digest(key, signed, "sha256")) for key in (standard_key(secret) for secret in secrets) if key
    ]
    # A sender has few active secrets; a header of thousands of signatures is not one of ours.
    few = given.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]
    offered = [value for version, _, value in (one.partition(",") for one in few) if version == "v1"]
    if not any(_same(value, one) for value in offered for one in expected):
        raise InvalidSignature("The signature does not match any active secret.")
    _require_fresh(_from_epoch(stamp), now, window)


def standard_key(secret: str) -> bytes:
    """The key of a `whsec_` secret; padding may be missing. Empty when it is not base64."""
    text = secret.removeprefix("whsec_")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def qualtrics(given: str, message: str, secrets: Secrets) -> None:
    """HMAC-SHA512, hex, of the decoded MSG field; the signature is the form's HMAC field."""
    _require(given.lower(), (_hex(secret, _utf8(message), "sha512") for secret in secrets))


def plain(headers: Headers, body: bytes, secrets: Secrets, scheme: PlainScheme) -> None:
    """An HMAC of the body, as a vendor or an administrator (`[sources.mapped] signature`) describes it."""
    given = _after(_header(headers, scheme.header), scheme.prefix)
    if scheme.encoding == "hex":
        _require(given.lower(), (_hex(secret, body, scheme.algorithm) for secret in secrets))
    else:
        _require(given, (_base64(secret, body, scheme.algorithm) for secret in secrets))


def shared_secret(headers: Headers, token: str | None, secrets: Secrets) -> None:
    """HTTP Basic (any user, the secret as password), Bearer, X-Closeloop-Token, or `token` of the query."""
    offered = [headers.get("x-closeloop-token", ""), token or "", _authorization(headers.get("authorization", ""))]
    if not any(offered):
        raise InvalidSignature("Send the secret as HTTP Basic password, as Bearer token or in X-Closeloop-Token.")
    if not any(_same(one, secret.encode()) for one in offered if one for secret in secrets):
        raise InvalidSignature("The secret does not match any active one.")


def _authorization(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return b64decode(rest.strip(), validate=True).decode().partition(":")[2]
            except ValueError:
                return ""
    return ""


def _header(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise InvalidSignature(f"The header {name} is missing.")
    return value


def _after(value: str, prefix: str) -> str:
    if not value.startswith(prefix):
        raise InvalidSignature(f"The signature does not begin with {prefix}")
    return value[len(prefix) :]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _same(given: str, expected: bytes) -> bool:
    return hmac.compare_digest(_utf8(given), expected)


def _hex(secret: str, signed: bytes, algorithm: str) -> bytes:
    return _digest(secret.encode(), signed, algorithm).hex().encode()


def _base64(secret: str, signed: bytes, algorithm: str) -> bytes:
    return b64encode(_digest(secret.encode(), signed, algorithm))


def _digest(key: bytes, signed: bytes, algorithm: str) -> bytes:
    mac = _keyed(key, algorithm).copy()
    mac.update(signed)
    return mac.digest()


@lru_cache(maxsize=256)
def _keyed(key: bytes, algorithm: str) -> hmac.HMAC:
    """Made once: to prepare a key costs as much as to sign a kilobyte."""
    return hmac.new(key, digestmod=algorithm)


def _require(given: str, expected: Iterable[bytes]) -> None:
    offered = _utf8(given)
    for one in expected:
        if hmac.compare_digest(offered, one):
            return
    raise InvalidSignature("The signature does not match any active secret.")


def _require_fresh(stamped_at: datetime, now: datetime, window: timedelta) -> None:
    if abs(now - stamped_at) > window:
        raise InvalidSignature(f"The signed timestamp is more than {window.total_seconds():g} s from our clock.")


def _from_iso(text: str) -> datetime:
    if not _ISO_SECONDS.fullmatch(text):
        raise InvalidSignature("The signed timestamp is malformed.")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSignature("The signed timestamp is malformed.") from None


def _from_epoch(text: str, per_second: int = 1) -> datetime:
    if not _DIGITS.fullmatch(text):
        raise InvalidSignature("The signed timestamp is malformed.")
    try:
        return datetime.fromtimestamp(int(text) / per_second, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidSignature("The signed timestamp is malformed.") from None
