"""GET /v1/sources: how every source is, what came of it in the last day, and what its vendor does when we fail."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.store.source_views import overview
from shared.clock import Clock
from shared.db.engine import Database


class SourceOut(BaseModel):
    """`state`: new well silent rejecting refused unreported. Counts and lags (seconds) are of the last 24 hours;
    `lost` counts responses that no webhook brought; `api` what came of asking the vendor."""

    model_config = ConfigDict(from_attributes=True)

    source: str
    state: str
    since: datetime
    words: str
    last_event_at: datetime | None
    reported_at: datetime
    accepted: int
    ignored: dict[str, int]
    rejected: dict[str, int]
    duplicates: int
    lost: int
    api: dict[str, int]
    lag_mean_s: float | None
    lag_max_s: float | None
    credentials: bool
    reconciles: bool
    rule: str
    switch_on: str


class SourcePage(BaseModel):
    items: list[SourceOut]
    next_cursor: None = None


def source_router(database: Database, clock: Clock, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["sources"])

    @router.get("/v1/sources")
    async def list_sources(_: Annotated[Caller, Depends(who_calls)]) -> SourcePage:
        """Every source that is, or was, switched on, by name."""
        async with database.read() as connection:
            views = await overview(connection, clock.now())
        return SourcePage(items=[SourceOut.model_validate(view) for view in views])

    return router
