"""New secrets for webhook sources, in the form each one's senders expect."""

import base64
from secrets import token_bytes

from shared import ids


def new_secret(source: str) -> str:
    """256 random bits; Standard Webhooks libraries want them as `whsec_` and base64."""
    if source == "standard":
        return "whsec_" + base64.b64encode(token_bytes(32)).decode()
    return ids.new_secret()
