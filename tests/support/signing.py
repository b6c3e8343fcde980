"""Signs deliveries as each vendor does: `sign(source, body, secret, now)` gives the headers to send with the body."""

import hmac
import json
import urllib.parse
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC_URL = "http://127.0.0.1:8000"


def sign(
    source: str,
    body: bytes,
    secret: str,
    now: datetime,
    *,
    delivery_id: str | None = None,
    url: str | None = None,
    method: str = "POST",
) -> dict[str, str]:
    """Headers, Content-Type included, of a delivery of `body` that `source` signed at `now` with `secret`.

    `delivery_id` is the vendor's own id where it travels in a header (random if not given); `url` is the public URL
    as called, which HubSpot signs. `events` is the CloudEvents door. Sources that do not sign get a bearer token.
    """
    delivery_id = delivery_id or str(uuid.uuid4())
    if source == "hubspot":
        return _hubspot(body, secret, now, method, url or f"{PUBLIC_URL}/v1/webhooks/hubspot")
    signer = SIGNERS.get(source)
    if signer is None:
        return {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    return {"content-type": "application/json", **signer(body, secret, now, delivery_id)}


def signed_json(
    source: str, document: object, secret: str, now: datetime, **options: str
) -> tuple[bytes, dict[str, str]]:
    """The body of a JSON document and its headers."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return body, sign(source, body, secret, now, **options)


def qualtrics_form(message: str, secret: str) -> bytes:
    """The form that Qualtrics sends; its signature is a field of it."""
    given = hmac.digest(secret.encode(), message.encode(), "sha512").hex()
    return urllib.parse.urlencode({"HMAC": given, "MSG": message, "Topic": "acme.completedResponse"}).encode()


def _hex(secret: str, signed: bytes, algorithm: str) -> str:
    return hmac.digest(secret.encode(), signed, algorithm).hex()


def _base64(key: bytes, signed: bytes, algorithm: str) -> str:
    return b64encode(hmac.digest(key, signed, algorithm)).decode()


def _zendesk(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-signature": _base64(secret.encode(), stamp.encode() + body, "sha256"),
        "x-zendesk-webhook-invocation-id": delivery_id,
    }


def _standard(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    key = b64decode(secret.removeprefix("whsec_"))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + _base64(key, f"{delivery_id}.{stamp}.".encode() + body, "sha256"),
    }


def _chatwoot(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    return {
        "x-chatwoot-timestamp": stamp,
        "x-chatwoot-signature": "sha256=" + _hex(secret, stamp.encode() + b"." + body, "sha256"),
        "x-chatwoot-delivery": delivery_id,
    }


def _hubspot(body: bytes, secret: str, now: datetime, method: str, url: str) -> dict[str, str]:
    stamp = str((now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))
    signed = method.encode() + url.encode() + body + stamp.encode()
    return {
        "content-type": "application/json",
        "x-hubspot-request-timestamp": stamp,
        "x-hubspot-signature-v3": _base64(secret.encode(), signed, "sha256"),
    }


def _front(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    return {
        "x-front-request-timestamp": stamp,
        "x-front-signature": _base64(secret.encode(), stamp.encode() + b":" + body, "sha256"),
    }


def _plain(name: str, prefix: str, algorithm: str, delivery_header: str | None = None) -> "Signer":
    def signer(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
        headers = {name: prefix + _hex(secret, body, algorithm)}
        return headers | ({delivery_header: delivery_id} if delivery_header else {})

    return signer


def _plain64(name: str, prefix: str, algorithm: str) -> "Signer":
    def signer(body: bytes, secret: str, now: datetime, delivery_id: str) -> dict[str, str]:
        return {name: prefix + _base64(secret.encode(), body, algorithm)}

    return signer


Signer = Callable[[bytes, str, datetime, str], dict[str, str]]

SIGNERS: dict[str, Signer] = {
    "zendesk": _zendesk,
    "intercom": _plain("x-hub-signature", "sha1=", "sha1"),
    "delighted": _plain("x-delighted-webhook-signature", "sha256=", "sha256"),
    "standard": _standard,
    "formbricks": _standard,
    "hmac": _plain("x-hub-signature-256", "sha256=", "sha256", "x-github-delivery"),
    "chatwoot": _chatwoot,
    "front": _front,
    "helpscout": _plain64("x-helpscout-signature", "", "sha1"),
    "jira": _plain("x-hub-signature", "sha256=", "sha256", "x-atlassian-webhook-identifier"),
    "surveymonkey": _plain64("sm-signature", "", "sha1"),
    "typeform": _plain64("typeform-signature", "sha256=", "sha256"),
    "zammad": _plain("x-hub-signature", "sha1=", "sha1", "x-zammad-delivery"),
}
