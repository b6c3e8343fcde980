"""The people door: who is needed and cannot be reached."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.api.fields import problems
from services.router.api.schemas import Page
from services.router.preflight import KNOWN_FOR, stored_report
from services.router.store import duties, people
from shared.clock import Clock
from shared.db.engine import Database
from shared.policy import RoutingPolicy

_ACCOUNTS_SHOWN = 100


class UnreachableOut(BaseModel):
    """`why` completes a sentence that begins with the e-mail; `roles` what this person is needed for."""

    email: str
    why: str
    roles: list[str]
    accounts: int = Field(description="How many accounts name this person.")
    account_ids: list[str] = Field(description=f"The first {_ACCOUNTS_SHOWN} of them.")
    checked_at: datetime


def people_router(database: Database, routing: RoutingPolicy, clock: Clock, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["people"])

    @router.get("/v1/people/unreachable", responses=problems())
    async def unreachable(_: Annotated[Caller, Depends(who_calls)]) -> Page[UnreachableOut]:
        """People a case may come to whom Slack does not reach, as last looked at; most accounts first."""
        now = clock.now()
        async with database.read() as connection:
            needed = await duties.duties(connection, routing, now)
            known = await people.find(connection, sorted(needed))
        report = stored_report(needed, known, now - KNOWN_FOR)
        return Page(
            items=[
                UnreachableOut(
                    email=item.duty.email,
                    why=item.why,
                    roles=sorted(item.duty.roles),
                    accounts=len(item.duty.accounts),
                    account_ids=item.duty.accounts[:_ACCOUNTS_SHOWN],
                    checked_at=known[item.duty.email].checked_at,
                )
                for item in report.unreached
            ]
        )

    return router
