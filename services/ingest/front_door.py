"""One delivery from the socket to the log: size, signature, media type, translation, then a durable 202 (G1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope

from services.ingest.authentication import authenticate
from services.ingest.content import takes
from services.ingest.dead_letters import dead_letter
from services.ingest.hearing import Hearing
from services.ingest.publishing import NOTHING, Needs, by_event_id
from services.ingest.signatures import InvalidSignature
from services.ingest.sources.base import Answer, Feedback, Source, Translation, Unprocessable, WebhookRequest
from shared.errors import TransientError
from shared.events.catalog import SurveyResponded
from shared.events.envelope import Record, encode_json
from shared.faults import crash_point
from shared.observability import WEBHOOKS
from shared.runtime import Runtime
from shared.web import BodyTooLarge, declares_over, problem, unavailable

log = structlog.get_logger(__name__)

BODY_LIMIT = 1024 * 1024
_YES = ("true", "1", "yes")
_REJECTIONS = {
    "unauthorized": "signature",
    "too_large": "too large",
    "unsupported": "media type",
    "unavailable": "our log was down",
}
# Its own counter of each source and outcome: looking one up costs as much as the rest of the counting.
_deliveries = cache(WEBHOOKS.labels)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source that is switched on: with its active secrets and its options."""

    source: Source
    secrets: tuple[str, ...]
    options: Mapping[str, Any]


class FrontDoor:
    """Takes deliveries of open sources. Every answer is final: nothing is promised that the log has not got."""

    def __init__(self, runtime: Runtime, hearing: Hearing | None = None, needs: Needs = NOTHING) -> None:
        self._hearing = hearing or Hearing(runtime.bus, runtime.clock, {})
        self._needs = needs
        self._bus = runtime.bus
        self._clock = runtime.clock
        self._log = log.bind()
        self._public_url = (runtime.settings.http.public_url or "").rstrip("/")

    async def receive(self, door: OpenSource, scope: Scope, receive: Receive) -> Response:
        """Answer a POST: 413, 401, 415, 422, 503, 202, or 200 where nothing was to be taken."""
        name = door.source.name
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            body = await _read(receive, headers.get("content-length", ""))
        except BodyTooLarge:
            return self._refuse(name, "too_large", problem(413, f"The body is over {BODY_LIMIT} bytes."))
        except ConnectionResetError:
            return self._refuse(name, "disconnected", problem(400, "The connection ended before the body did."))
        request, now = self._request(scope, headers, body), self._clock.now()
        try:
            authenticate(door.source, request, door.secrets, door.options, now)
        except InvalidSignature as wrong:
            return self._refuse(name, "unauthorized", problem(401, str(wrong), {"www-authenticate": "Signature"}))
        content_type = headers.get("content-type", "")
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "") or not takes(door.source.content, content_type, body):
            detail = f"Send {door.source.content.upper()}, not compressed, and say so in Content-Type."
            return self._refuse(name, "unsupported", problem(415, detail))
        return await self._translate(door, request, now)

    def _request(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> WebhookRequest:
        raw_query: bytes = scope["query_string"]
        query = dict(parse_qsl(raw_query.decode("latin-1"))) if raw_query else {}
        base = self._public_url or f"{scope['scheme']}://{headers.get('host', '')}"
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        url = f"{base}{path}?{raw_query.decode('latin-1')}" if raw_query else f"{base}{path}"
        return WebhookRequest(scope["method"], url, headers, body, query)

    async def _translate(self, door: OpenSource, request: WebhookRequest, now: datetime) -> Response:
        dry_run = request.query.get("dry_run", "").lower() in _YES
        try:
            translation = door.source.translate(request, door.options, now)
        except Unprocessable as wrong:
            return await self._keep(door, request, str(wrong), dry_run)
        except Exception as bug:
            # A body that our code stumbles over is kept like any other that cannot be translated (G12).
            self._log.error("translation_failed", source=door.source.name, error=type(bug).__name__)
            return await self._keep(door, request, f"The translation failed ({type(bug).__name__}).", dry_run)
        if dry_run:
            return self._dry_run(door.source.name, translation)
        return await self._publish(door, request, translation)

    async def _keep(self, door: OpenSource, request: WebhookRequest, reason: str, dry_run: bool) -> Response:
        name = door.source.name
        if dry_run:
            return self._refuse(name, "dry_run", problem(422, reason))
        now = self._clock.now()
        letter_id, record = dead_letter(door.source, door.options, request.headers, request.body, reason, now)
        if not await self._store([record]):
            return self._unavailable(name)
        self._hearing.rejected(name, _kind_of(reason))
        return self._refuse(name, "unprocessable", problem(422, reason, dead_letter_id=letter_id), letter_id)

    async def _publish(self, door: OpenSource, request: WebhookRequest, translation: Translation) -> Response:
        name = door.source.name
        events = by_event_id(translation.events, self._needs)
        records = [record for _, record in events.values()]
        rejected: list[dict[str, Any]] = []
        for one in translation.rejected:
            headers = {**request.headers, "content-type": one.content_type}
            letter_id, letter = dead_letter(door.source, door.options, headers, one.body, one.reason, self._clock.now())
            records.append(letter)
            rejected.append({"index": one.position, "detail": one.reason, "dead_letter_id": letter_id})
        if records and not await self._store(records):
            return self._unavailable(name)
        for one in translation.rejected:
            self._hearing.rejected(name, _kind_of(one.reason))
        if rejected and not events:
            answer = problem(
                422, rejected[0]["detail"], dead_letter_id=rejected[0]["dead_letter_id"], rejected=rejected
            )
            return self._refuse(name, "unprocessable", answer, *(one["dead_letter_id"] for one in rejected))
        return self._accepted(door.source, translation, list(events), rejected)

    async def _store(self, records: list[Record]) -> bool:
        """Whether the log has them for good."""
        try:
            await self._bus.publish(records)
        except TransientError:
            return False
        crash_point("after_publish")
        return True

    def _accepted(
        self, source: Source, translation: Translation, event_ids: list[str], rejected: list[Any]
    ) -> Response:
        outcome = translation.outcome.value
        if translation.events:
            self._hearing.accepted(source.name, translation.events)
        elif not rejected:
            self._hearing.ignored(source.name, translation.reason or outcome)
        _deliveries(source.name, outcome).inc()
        self._log.info("webhook", source=source.name, outcome=outcome, ids=event_ids)
        answer = translation.answer or source.answer
        if answer is not None:
            return _own_answer(answer)
        body: dict[str, Any] = {"accepted": len(event_ids)}
        if event_ids:
            body["ids"] = event_ids
        if translation.reason is not None:
            body["reason"] = translation.reason
        if rejected:
            body["rejected"] = rejected
        return _json(202 if event_ids else 200, body)

    def _dry_run(self, name: str, translation: Translation) -> Response:
        _deliveries(name, "dry_run").inc()
        self._log.info("webhook", source=name, outcome="dry_run", ids=[])
        events = [_shown(data) for data, _ in by_event_id(translation.events).values()]
        body: dict[str, Any] = {
            "outcome": translation.outcome.value,
            "reason": translation.reason,
            "events": events,
        }
        if translation.rejected:
            body["rejected"] = [{"index": one.position, "detail": one.reason} for one in translation.rejected]
        return _json(200, body)

    def _unavailable(self, name: str) -> Response:
        return self._refuse(name, "unavailable", unavailable("The log cannot take the delivery now; send it again."))

    def _refuse(self, name: str, outcome: str, answer: Response, *letter_ids: str) -> Response:
        _deliveries(name, outcome).inc()
        if outcome in _REJECTIONS:
            self._hearing.rejected(name, _REJECTIONS[outcome])
        self._log.warning("webhook", source=name, outcome=outcome, ids=list(letter_ids))
        return answer


async def _read(receive: Receive, declared: str) -> bytes:
    """The raw body, mostly in one piece; one declared too large is not waited for. Raises BodyTooLarge, and
    ConnectionResetError when it breaks off."""
    if declares_over(BODY_LIMIT, declared):
        raise BodyTooLarge
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > BODY_LIMIT:
            raise BodyTooLarge
        if not message.get("more_body"):
            return b"".join([*pieces, piece]) if pieces else piece
        pieces.append(piece)


def _shown(data: Feedback) -> dict[str, Any]:
    kind = "survey response" if isinstance(data, SurveyResponded) else "ticket"
    return {"kind": kind, **msgspec.to_builtins(data)}


def _kind_of(reason: str) -> str:
    return "score outside its scale" if "outside its scale" in reason else "malformed"


def _own_answer(answer: Answer) -> Response:
    return Response(answer.body, 200, {"content-type": answer.content_type})


class _Json(Response):
    """Its two headers need none of Starlette's general making of them."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]


def _json(status: int, body: Any) -> Response:
    return _Json(encode_json(body), status)
