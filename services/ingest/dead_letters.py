"""Deliveries that nobody could translate: kept whole with the reason, and translated again when somebody asks."""

from collections.abc import Mapping
from datetime import datetime

from services.ingest.publishing import by_event_id
from services.ingest.sources import cloudevents, sources_of
from services.ingest.sources.base import Options, Source, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from services.ingest.sources.reading import digest
from services.ingest.vendors.opening import needs_of, open_vendors
from shared import ids
from shared.bus import dead_letters
from shared.errors import PoisonError
from shared.events.catalog import FEEDBACK_RECEIVED
from shared.events.envelope import Message, Record
from shared.runtime import Runtime


def dead_letter(
    source: Source, options: Options, headers: Mapping[str, str], body: bytes, reason: str, at: datetime
) -> tuple[str, Record]:
    """The letter's id (the same for the same body) and its record. Of the headers only those go in that translating
    needs: a signature or a token is never kept."""
    letter_id = ids.derive("dead-letter", source.name, digest(body))
    wanted = ("content-type", *source.keeps, *([options["delivery_header"]] if "delivery_header" in options else []))
    kept = tuple((name, headers[name].encode("utf-8", "replace")) for name in wanted if name in headers)
    record = dead_letters.of_webhook(
        topic=FEEDBACK_RECEIVED.name,
        source=source.name,
        body=body,
        headers=kept,
        reason=reason,
        at=at,
        letter_id=letter_id,
    )
    return letter_id, record


async def replay_webhook(letter: Message, runtime: Runtime) -> list[str]:
    """Translate a letter again with the present code and policy, and publish it as received when it was.

    Returns the ids of the events (none: it is now ignored). Raises PoisonError when it still cannot be translated and
    BusUnavailable when the log cannot take it; the letter stays where it is either way."""
    name = letter.header("dl_source") or ""
    source = cloudevents.SOURCE if name == cloudevents.SOURCE.name else sources_of(runtime.policy.sources).get(name)
    if source is None or letter.header("dl_kind") != dead_letters.WEBHOOK:
        raise PoisonError(f"not a webhook of a source that we know: {name or 'dl_source is missing'}")
    options, _ = parse_options(source, runtime.policy.sources.get(name, {}))
    headers = {key: value.decode("utf-8", "replace") for key, value in letter.headers if not key.startswith("dl_")}
    request = WebhookRequest("POST", "", headers, letter.value or b"", {})
    try:
        translation = source.translate(request, options, _received_at(letter))
    except Unprocessable as wrong:
        raise PoisonError(str(wrong)) from wrong
    if translation.rejected:
        raise PoisonError(translation.rejected[0].reason)
    needs = needs_of(open_vendors(runtime.settings, runtime.policy, runtime.clock))
    events = by_event_id(translation.events, needs)
    if events:
        await runtime.bus.publish([record for _, record in events.values()])
    return list(events)


def _received_at(letter: Message) -> datetime:
    try:
        return datetime.fromisoformat(letter.header("dl_at") or "")
    except ValueError:
        return letter.time
