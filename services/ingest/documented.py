"""What /openapi.json says of ingest's doors: those served ahead of FastAPI have their documentation here."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict

ADMIN_TOKEN = Depends(HTTPBearer(auto_error=False, description="The admin token.", scheme_name="adminToken"))
_PROBLEM = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "dead_letter_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "rejected": {"type": "array", "items": {"type": "object"}},
    },
}
_WORDS = {
    400: "The body broke off, or is not what HTTP allows.",
    401: "The signature, secret or token is missing or wrong.",
    404: "There is no such source, or it is not switched on.",
    413: "The body is over the limit.",
    415: "The media type is not one the source sends.",
    422: "It cannot be translated, or has not the documented form; a webhook is kept under dead_letter_id.",
    503: "The log cannot take it now; send it again after Retry-After.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers other than success, each an RFC 9457 problem."""
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {status: {"description": _WORDS[status], "content": content} for status in statuses}


class Refused(BaseModel):
    """An element of a batch that could not be translated; the others were taken."""

    index: int
    detail: str
    dead_letter_id: str | None = None


class Taken(BaseModel):
    """202: the log has these events for good. 200: nothing was to be taken, for the reason given; with `dry_run` what
    the delivery would become."""

    model_config = ConfigDict(extra="forbid")

    accepted: int | None = None
    ids: list[str] | None = None
    reason: str | None = None
    rejected: list[Refused] | None = None
    outcome: Literal["accept", "accept_enrich", "ignore", "handshake"] | None = None
    events: list[dict[str, Any]] | None = None


DryRun = Annotated[str, Query(description="`true`: verify and translate only; nothing is published or kept.")]
_ATTRIBUTE = {"type": "string", "minLength": 1, "maxLength": 240, "pattern": r"^[!-~]+$"}
_CLOUD_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _ATTRIBUTE,
        "source": _ATTRIBUTE,
        "type": {
            **_ATTRIBUTE,
            "description": "survey.response.created, .updated, .withdrawn, ticket.updated; others: 200",
        },
        "time": {"type": "string", "format": "date-time"},
        "data": {"description": "Our JSON: docs/webhooks.md"},
    },
}
_ANY_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
_EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": _CLOUD_EVENT},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": _CLOUD_EVENT, "maxItems": 1000}
            },
        },
    }
}
_SOURCE = Annotated[str, Path(max_length=100)]


def documentation() -> APIRouter:
    """Routes for the documentation only: the real doors stand before them."""
    routes = APIRouter(tags=["webhooks"])
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": "A ping, an event that is not needed, or a dry run.", "model": Taken},
        202: {"description": "The log has the events for good.", "model": Taken},
        **refusals(400, 401, 413, 415, 422, 503),
    }

    @routes.post(
        "/v1/webhooks/{source}", status_code=202, responses={**answers, **refusals(404)}, openapi_extra=_ANY_BODY
    )
    async def receive_webhook(source: _SOURCE, dry_run: DryRun = "") -> Taken:
        """A delivery as its vendor sends and signs it (docs/webhooks.md). Sources may answer 200 with a body of their
        own where their vendor insists on one."""
        raise HTTPException(404, "This door is served elsewhere.")

    @routes.post(
        "/v1/events", status_code=202, responses=answers, openapi_extra=_EVENTS_BODY, dependencies=[ADMIN_TOKEN]
    )
    async def receive_events(dry_run: DryRun = "") -> Taken:
        """CloudEvents 1.0, structured, batched or binary, with the secret of the source `events` or the admin token."""
        raise HTTPException(404, "This door is served elsewhere.")

    return routes
