"""What a body would become: translated as a delivery is, with nothing verified, published or kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.content import takes
from services.ingest.publishing import by_event_id
from services.ingest.sources import sources_of
from services.ingest.sources.base import Content, Outcome, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from shared.policy import Policy

_MEDIA_TYPES = {
    Content.JSON: "application/json",
    Content.FORM: "application/x-www-form-urlencoded",
    Content.XML: "text/xml",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """`taken` is False where the vendor would be answered 415 or 422. `unproven` are worked examples of a mapped
    source that do not hold."""

    outcome: str
    reason: str | None
    events: list[dict[str, Any]]
    rejected: list[str]
    taken: bool
    unproven: tuple[str, ...] = ()


def try_body(source: str, body: bytes, headers: Mapping[str, str], policy: Policy, now: datetime) -> Tried:
    """Raises KeyError for an unknown source and ConfigurationError naming a malformed option."""
    found = sources_of(policy.sources)[source]
    options, _ = parse_options(found, policy.sources.get(source, {}))
    unproven = tuple(found.unproven(options))
    sent = {"content-type": _MEDIA_TYPES[found.content], **headers}
    if not takes(found.content, sent["content-type"], body):
        return Tried("415", f"{source} sends {found.content.upper()}.", [], [], taken=False, unproven=unproven)
    try:
        translation = found.translate(WebhookRequest("POST", "", sent, body, {}), options, now)
    except Unprocessable as wrong:
        return Tried("422", str(wrong), [], [], taken=False, unproven=unproven)
    events = [msgspec.to_builtins(data) for data, _ in by_event_id(translation.events).values()]
    rejected = [one.reason for one in translation.rejected]
    accepted = translation.outcome in (Outcome.ACCEPT, Outcome.ACCEPT_ENRICH)
    return Tried(
        translation.outcome.value,
        translation.reason,
        events,
        rejected,
        taken=accepted or not rejected,
        unproven=unproven,
    )
