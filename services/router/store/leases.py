"""Leases: one router at a time does what must not be done by two."""

from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import leases
from shared.db import statements


async def take(connection: AsyncConnection, name: str, holder: str, now: datetime, span: timedelta) -> bool:
    """Get or renew the lease for `span`; False while another holder's has not run out."""
    statement = statements.insert(connection, leases).values(name=name, holder=holder, until=now + span)
    free = or_(leases.c.holder == holder, leases.c.until <= now)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"holder": holder, "until": now + span}, where=free
    )
    return (await connection.execute(statement)).rowcount == 1
