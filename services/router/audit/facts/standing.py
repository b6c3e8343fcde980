"""How things stand at this moment: counts over the cases that are not ended, and the outbox."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.store.cases import UNOWNED, overdue
from services.router.tables import cases, notices

# Written out, not bound, so that both databases see that their partial index covers it.
NOT_ENDED = text("cases.status NOT IN ('closed', 'dismissed')")
_WAITING = text("notices.state IN ('pending', 'sending', 'uncertain')")


@dataclass(frozen=True, slots=True)
class Standing:
    """`overdue` cases wait past their due time; `unowned` ones rest with the fallback owner; `oldest_notice_at` is
    since when the oldest message waits to be sent, one that was held back from the time it may go; `parked` ones wait
    for a person to put something right."""

    open: int
    overdue: int
    unowned: int
    oldest_notice_at: datetime | None
    parked: int = 0


async def standing(connection: AsyncConnection, now: datetime) -> Standing:
    counted = await connection.execute(
        select(
            func.count(),
            func.count(case((overdue(now), 1))),
            func.count(case((UNOWNED, 1))),
        )
        .select_from(cases)
        .where(NOT_ENDED)
    )
    counts = counted.one()
    held = and_(notices.c.attempt == 0, notices.c.not_before.is_not(None))
    since = case((held, notices.c.not_before), else_=notices.c.created_at)
    oldest = await connection.execute(select(func.min(since)).where(_WAITING, since <= now))
    parked = await connection.execute(select(func.count()).where(notices.c.state == "parked"))
    return Standing(*counts, oldest.scalar_one_or_none(), parked.scalar_one())
