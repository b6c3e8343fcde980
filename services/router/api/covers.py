"""The cover doors: who is away and who stands in, entered and taken back."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.router.api import cursors
from services.router.api.cases import WhoCalls, actor_of, refusal
from services.router.api.doors import Caller
from services.router.api.fields import OF_BODIES, Email, Filter, Instant, Key, Limit, Place, Text, problems
from services.router.api.schemas import Page
from services.router.cases import InvalidCommand, NotFound
from services.router.covering import Absence, Covering
from services.router.store import covers
from services.router.store.covers import Record
from shared.clock import Clock
from shared.db.engine import Database


class CoverBody(BaseModel):
    """An absence. Without `cover` the next role has the cases; without `ends_at` it lasts until it is ended."""

    model_config = ConfigDict(extra="ignore")

    person: Email
    cover: Email | None = None
    starts_at: Instant | None = Field(default=None, description="Now, when it is left out.")
    ends_at: Instant | None = None
    timezone: Key = Field(default="UTC", description="Where the person lives: the last day is named in it.")
    reason: Text = ""
    actor: Email | None = Field(default=None, description="Who enters it; not needed with a console session.")


class CoverOut(BaseModel):
    """`source` is api, csv, slack or status_hint; `ended_at` when it was ended early."""

    id: str
    person: str
    cover: str | None
    starts_at: datetime
    ends_at: datetime | None
    timezone: str
    source: str
    reason: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None


class CoverEntered(CoverOut):
    """`moved` cases changed hands at once; `message` says who has them, or why nobody named does."""

    moved: int
    message: str
    repeated: bool


class CoverEnded(BaseModel):
    id: str
    moved: int = Field(description="Cases that changed hands.")


def cover_router(database: Database, covering: Covering, clock: Clock, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["covers"])

    @router.get("/v1/covers", responses=problems(_422="A filter or the cursor is wrong."))
    async def list_all(
        _: Annotated[Caller, Depends(who_calls)],
        after: Place,
        person: Filter = None,
        past: Annotated[bool, Query(description="Those that are over, newest first.")] = False,
        limit: Limit = 200,
    ) -> Page[CoverOut]:
        """Absences of now and to come, in order of their start."""
        async with database.read() as connection:
            found = await covers.listed(
                connection,
                clock.now(),
                person=person.strip().lower() if person else None,
                past=past,
                limit=limit + 1,
                after=after,
            )
        shown, more = cursors.cut(found, limit, _place_of)
        return Page(items=[cover_out(record) for record in shown], next_cursor=more)

    @router.post(
        "/v1/covers",
        status_code=201,
        response_model=CoverEntered,
        responses=problems(
            _403="A session without its CSRF token.", _422="A field is wrong; `errors` names it.", **OF_BODIES
        ),
    )
    async def enter(body: CoverBody, caller: Annotated[Caller, Depends(who_calls)]) -> Any:
        """Enter an absence; where it has begun the open cases move at once. The same again changes nothing."""
        absence = Absence(
            person=body.person,
            cover=body.cover,
            starts_at=body.starts_at or clock.now(),
            ends_at=body.ends_at,
            timezone=body.timezone,
            reason=body.reason,
            source="api",
            created_by=actor_of(body.actor, caller),
        )
        try:
            entered = await covering.enter(absence)
        except InvalidCommand as error:
            return refusal(error)
        members = cover_out(entered.record).model_dump()
        return CoverEntered(**members, moved=entered.moved, message=entered.words, repeated=not entered.fresh)

    @router.delete(
        "/v1/covers/{cover_id}",
        response_model=CoverEnded,
        responses=problems(_403="A session without its CSRF token.", _404="No such cover."),
    )
    async def end(cover_id: Key, caller: Annotated[Caller, Depends(who_calls)], actor: Filter = None) -> Any:
        """End an absence, or take back one to come: what is open goes back. Ending it twice is no error."""
        try:
            moved = await covering.end(cover_id, caller.email or actor or "api")
        except NotFound as error:
            response: Response = refusal(error)
            return response
        return CoverEnded(id=cover_id, moved=moved)

    return router


def _place_of(record: Record) -> str:
    return cursors.encode_place(record.cover.starts_at, record.cover.id)


def cover_out(record: Record) -> CoverOut:
    names = set(CoverOut.model_fields) & set(type(record.cover).__slots__)
    cover = {name: getattr(record.cover, name) for name in names}
    return CoverOut(**cover, source=record.source, reason=record.reason, created_by=record.created_by)
