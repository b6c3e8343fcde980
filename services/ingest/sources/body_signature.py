"""How vendors that sign the body, and nothing else, prove who they are."""

from datetime import datetime

from services.ingest import signatures
from services.ingest.signatures import PlainScheme
from services.ingest.sources.base import Options, Secrets, Verify, WebhookRequest


def verify_by(scheme: PlainScheme) -> Verify:
    """Raises InvalidSignature."""

    def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
        signatures.plain(request.headers, request.body, secrets, scheme)

    return verify
