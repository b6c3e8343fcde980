"""One-time sign-in codes that have been used: claimed once, by whichever router sees them first."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import leases
from shared.db.statements import unless_there

_PREFIX = "sign-in:"
_CLAIM = unless_there(leases)


async def claim(connection: AsyncConnection, nonce: str, until: datetime, now: datetime) -> bool:
    """False when the code was used before. What has expired by `now` is forgotten: its signature no longer counts."""
    await connection.execute(delete(leases).where(leases.c.name.startswith(_PREFIX), leases.c.until < now))
    used = {"name": _PREFIX + nonce, "holder": "used", "until": until}
    return bool((await connection.execute(_CLAIM.on(connection), used)).rowcount)
