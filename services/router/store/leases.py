"""Leases: one holder at a time, until it lets go or does not renew."""

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import leases
from shared.db import statements


async def hold(tx: AsyncConnection, name: str, holder: str, now: datetime, span: timedelta) -> bool:
    """Take or renew the lease until `now` + `span`; False when somebody else holds it."""
    until = now + span
    free = or_(leases.c.holder == holder, leases.c.until <= now)
    taken = await tx.execute(update(leases).where(leases.c.name == name, free).values(holder=holder, until=until))
    if taken.rowcount:
        return True
    statement = statements.insert(tx, leases).values(name=name, holder=holder, until=until)
    return bool((await tx.execute(statement.on_conflict_do_nothing())).rowcount)


async def release(tx: AsyncConnection, name: str, holder: str, now: datetime) -> None:
    await tx.execute(update(leases).where(leases.c.name == name, leases.c.holder == holder).values(until=now))


async def free_all(tx: AsyncConnection, now: datetime) -> None:
    """For a process that knows it is the only one: whoever held them is dead."""
    await tx.execute(update(leases).where(leases.c.until > now).values(until=now))
