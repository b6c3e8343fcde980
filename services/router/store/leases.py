"""Leases: one holder at a time, until it lets go or does not renew."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import leases
from shared.db.statements import unless_there

_RENEW = update(leases).where(
    leases.c.name == bindparam("lease"),
    or_(leases.c.holder == bindparam("who"), leases.c.until <= bindparam("now")),
)
_TAKE = unless_there(leases)


async def hold(tx: AsyncConnection, name: str, holder: str, now: datetime, span: timedelta) -> bool:
    """Take or renew the lease until `now` + `span`; False when somebody else holds it."""
    until = now + span
    mine = {"holder": holder, "until": until}
    if (await tx.execute(_RENEW, {"lease": name, "who": holder, "now": now, **mine})).rowcount:
        return True
    return bool((await tx.execute(_TAKE.on(tx), {"name": name, **mine})).rowcount)


async def release(tx: AsyncConnection, name: str, holder: str, now: datetime) -> None:
    await tx.execute(update(leases).where(leases.c.name == name, leases.c.holder == holder).values(until=now))


async def free_all(tx: AsyncConnection, now: datetime) -> None:
    """For a process that knows it is the only one: whoever held them is dead."""
    await tx.execute(update(leases).where(leases.c.until > now).values(until=now))
