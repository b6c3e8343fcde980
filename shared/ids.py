"""Identifiers: derived from what the vendor sent, so that whatever arrives twice gets the same one."""

import base64
import hashlib
import secrets
import uuid

_NAMESPACE = uuid.UUID("6b0f3c1e-2f5b-5d0a-9a57-0d6c3a1f8e42").bytes
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_SEPARATOR = "\x1f"


def derive(*parts: str) -> str:
    """A UUID of version 5 (text): the same for the same parts; parts cannot run into one another."""
    # The UUID as text without the object, which costs three times the hash. Version and variant: RFC 9562, 5.5.
    text = hashlib.sha1(_NAMESPACE + _SEPARATOR.join(parts).encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def new_id() -> str:
    """A random UUID (text), for what has no natural key."""
    return str(uuid.uuid4())


def case_id(*parts: str) -> str:
    """A short case number people can read out, `L-` and 10 base-32 characters (50 bits), derived from the parts."""
    digest = hashlib.sha256(_SEPARATOR.join(parts).encode()).digest()
    return "L-" + base64.b32encode(digest).decode()[:10]


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)
