"""GET /v1/sources: how every source is, what came of it in the last day, and what its vendor does when we fail."""

from typing import Annotated

from fastapi import APIRouter, Depends

from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.api.fields import problems
from services.router.api.schemas import Page
from services.router.store.source_views import SourceView, overview
from shared.clock import Clock
from shared.db.engine import Database


def source_router(database: Database, clock: Clock, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["sources"])

    @router.get("/v1/sources", responses=problems())
    async def list_sources(_: Annotated[Caller, Depends(who_calls)]) -> Page[SourceView]:
        """Every source that is, or was, switched on, by name."""
        async with database.read() as connection:
            return Page(items=await overview(connection, clock.now()))

    return router
