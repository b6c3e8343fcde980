"""Whether a request really comes from Slack: signed with one of our secrets, within five minutes. Pure.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from datetime import datetime

from pydantic import SecretStr
from slack_sdk.signature import Clock, SignatureVerifier


class _At(Clock):
    def __init__(self, now: datetime) -> None:
        self._now = now.timestamp()

    def now(self) -> float:
        return self._now


def secrets_of(setting: SecretStr | None) -> tuple[str, ...]:
    """The signing secrets; a second one may follow a comma, for rotation."""
    text = setting.get_secret_value() if setting is not None else ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def verified(
    body: bytes, timestamp: str | None, signature: str | None, secrets: tuple[str, ...], now: datetime
) -> bool:
    """False for whatever is missing, malformed, stale or signed by somebody else; never raises."""
    return any(_verified(body, timestamp, signature, secret, now) for secret in secrets)


def _verified(body: bytes, timestamp: str | None, signature: str | None, secret: str, now: datetime) -> bool:
    try:
        return SignatureVerifier(secret, _At(now)).is_valid(body, timestamp, signature)
    except (ValueError, TypeError, OverflowError):
        # The SDK raises on a timestamp that is no number, a body that is no UTF-8 and a signature that is no ASCII.
        return False
