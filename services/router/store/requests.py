"""Requests that make something new: one that comes again is answered with where the first led (G8)."""

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import deliveries
from shared.db.statements import Upsert

_CLAIM = Upsert(
    deliveries,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["id"],
        set_={"seen_at": insert.excluded.seen_at},
        where=deliveries.c.seen_at < bindparam("since"),
    ),
)


async def claim(tx: AsyncConnection, request_id: str, now: datetime, since: datetime) -> bool:
    """Whether this is the first of its kind made at or after `since`. Of two at once the later waits for the first."""
    asked = {"id": request_id, "seen_at": now, "since": since}
    return bool((await tx.execute(_CLAIM.on(tx), asked)).rowcount)


async def led_to(tx: AsyncConnection, request_id: str, case_id: str) -> None:
    await tx.execute(update(deliveries).where(deliveries.c.id == request_id).values(case_id=case_id))


async def case_of(connection: AsyncConnection, request_id: str) -> str:
    """Where a claimed request led."""
    return str(
        (await connection.execute(select(deliveries.c.case_id).where(deliveries.c.id == request_id))).scalar_one()
    )
