"""Which proof a delivery must bring: the vendor's signature, or the shared secret where there is none."""

from datetime import datetime

from services.ingest import signatures
from services.ingest.sources.base import Options, Secrets, Source, WebhookRequest


def authenticate(source: Source, request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """Raises InvalidSignature. A vendor that can sign is accepted unsigned only with the option `unsigned`, by the
    shared secret; a signature that is there must hold all the same."""
    by_header = source.signature_headers
    if options.get("unsigned") and by_header and not any(name in request.headers for name in by_header):
        signatures.shared_secret(request.headers, None, secrets)
    else:
        source.verify(request, secrets, options, now)
