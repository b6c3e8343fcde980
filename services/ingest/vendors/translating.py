"""From a vendor's API object to the event its webhook would have brought: by the same translation, so the same ids."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import structlog

from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Unprocessable, WebhookRequest
from services.ingest.sources.reading import digest, email_domain, email_of, from_iso, known, present
from services.ingest.vendors.base import Options
from shared.errors import PoisonError
from shared.events.catalog import SurveyResponded, TicketChanged
from shared.events.envelope import encode_json

log = structlog.get_logger(__name__)

E = TypeVar("E", SurveyResponded, TicketChanged)


def as_webhook(
    source: str, body: Any, options: Options, received_at: datetime, headers: Mapping[str, str] | None = None
) -> SurveyResponded | None:
    """The response in `body`, written as the source's webhook writes it; None where there is none, or none that can be
    read: one odd object must not hold up the others."""
    request = WebhookRequest("POST", "", headers or {}, encode_json(body), {})
    try:
        translation = BY_NAME[source].translate(request, options, received_at)
    except Unprocessable as wrong:
        log.warning("api_object_unreadable", source=source, reason=str(wrong))
        return None
    return next((event for event in translation.events if isinstance(event, SurveyResponded)), None)


def found(event: SurveyResponded) -> SurveyResponded:
    """The event under a delivery key that is the same however often the vendor lists this state of the response."""
    state = encode_json([event.occurred_at, event.normalised_score, event.comment, event.withdrawn])
    return msgspec.structs.replace(
        event, unique_id=f"listed:{event.record_id}:{digest(state)[:16]}", detected_by="reconciler"
    )


def filled(event: E, *, hint: Mapping[str, Any] | None = None, **fields: Any) -> E:
    """The event with those of the fields that have a value; what it says already of the account is kept."""
    given = {name: value for name, value in fields.items() if value is not None}
    merged = {**event.account_hint, **known(**dict(hint or {}))}
    return msgspec.structs.replace(event, account_hint=merged, **given)


def requester(event: E, email: Any, name: Any = None) -> E:
    """The event with the customer's address and name, where the vendor has them."""
    address = email_of(email) if isinstance(email, str) else None
    return filled(
        event,
        requester_email=address,
        requester_name=present(name) if isinstance(name, str) else None,
        hint=email_domain(address),
    )


def instant(value: Any, name: str) -> datetime | None:
    """ISO 8601 as a time. Raises PoisonError naming the field."""
    try:
        return from_iso(value if isinstance(value, str) else None, name)
    except Unprocessable as wrong:
        raise PoisonError(str(wrong)) from wrong


def table(value: Any, what: str) -> dict[str, Any]:
    """`value` as an object. Raises PoisonError naming `what`."""
    if not isinstance(value, dict):
        raise PoisonError(f"{what} is not an object")
    return value


def rows(value: Any, what: str) -> list[dict[str, Any]]:
    """`value` as a list of objects. Raises PoisonError naming `what`."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise PoisonError(f"{what} is not a list of objects")
    return value
