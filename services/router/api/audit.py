"""The audit door: do all promises of the design hold at this moment, and when was that last looked at."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from services.router.api.cases import WhoCalls
from services.router.api.doors import Caller
from services.router.api.fields import problems
from services.router.audit.facts import heartbeats
from services.router.audit.invariants import Finding, Question, check
from services.router.audit.service import PATROL, known_flaws
from shared.clock import Clock
from shared.db.engine import Database
from shared.policy import Policy


class FindingOut(BaseModel):
    """`broken_by` are ids of a `kind` (case, response, account), at most a hundred."""

    name: str
    words: str
    holds: bool
    kind: str
    broken_by: list[str]


class HeartbeatOut(BaseModel):
    name: str
    at: datetime
    count: int


class AuditPage(BaseModel):
    items: list[FindingOut]
    next_cursor: None = None
    checked_at: datetime
    holds: bool
    heartbeats: list[HeartbeatOut]


def audit_router(database: Database, clock: Clock, policy: Policy, who_calls: WhoCalls) -> APIRouter:
    router = APIRouter(tags=["audit"])

    @router.get("/v1/audit/invariants", responses=problems(_422="A parameter is wrong."))
    async def invariants(
        _: Annotated[Caller, Depends(who_calls)],
        everything: Annotated[bool, Query(description="Look at all of history, not only the recent rows.")] = False,
    ) -> AuditPage:
        """Every invariant, checked now. The journals' hashes are verified in turn; `journal_verifies` has what the
        last rounds found."""
        now = clock.now()
        async with database.read() as connection:
            findings = await check(connection, Question(now, policy, everything))
            beats = await heartbeats.every(connection)
        findings = [*findings, _journals(beats)]
        return AuditPage(
            items=[
                FindingOut(
                    name=item.name, words=item.words, holds=item.holds, kind=item.kind, broken_by=list(item.broken_by)
                )
                for item in findings
            ],
            checked_at=now,
            holds=all(item.holds for item in findings),
            heartbeats=[HeartbeatOut(name=beat.name, at=beat.at, count=beat.count) for beat in beats],
        )

    return router


def _journals(beats: list[heartbeats.Heartbeat]) -> Finding:
    note = next((beat.note for beat in beats if beat.name == PATROL), None)
    return journal_finding(known_flaws(note))


def journal_finding(flaws: dict[str, str]) -> Finding:
    words = "Every journal's hashes follow from one another, and its figures are those of the rows."
    return Finding("journal_verifies", "case", words, tuple(sorted(flaws)))
