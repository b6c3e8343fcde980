"""How vendors that do not sign prove who they are."""

from datetime import datetime

from services.ingest import signatures
from services.ingest.sources.base import Options, Secrets, WebhookRequest


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """HTTP Basic, Bearer or X-Closeloop-Token. Raises InvalidSignature."""
    signatures.shared_secret(request.headers, None, secrets)


def verify_with_query(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """The same, and `?token=` for vendors that can send no header. Raises InvalidSignature."""
    signatures.shared_secret(request.headers, request.query.get("token"), secrets)
