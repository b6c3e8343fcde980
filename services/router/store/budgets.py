"""How many alerts somebody had lately."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import cases, touch_clocks

# A case older than this gets next to no new alerts; without the bound all of somebody's history would be read.
_CASES_SINCE = timedelta(days=90)


async def alerts_of(connection: AsyncConnection, owner: str, since: datetime) -> int:
    """The touches promised since then in cases this person owns now: each was one alert."""
    statement = (
        select(func.count())
        .select_from(cases.join(touch_clocks, touch_clocks.c.case_id == cases.c.id))
        .where(cases.c.owner == owner, cases.c.opened_at >= since - _CASES_SINCE, touch_clocks.c.started_at >= since)
    )
    return (await connection.execute(statement)).scalar_one()
