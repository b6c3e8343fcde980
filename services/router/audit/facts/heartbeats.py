"""Signs of life of the loops: when each last ended a round, and what it found."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import heartbeats
from shared.db.statements import Upsert


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`count` is the number of rounds since the row was made."""

    name: str
    at: datetime
    note: str | None
    count: int


_BEAT = Upsert(
    heartbeats,
    lambda insert: insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"at": insert.excluded.at, "note": insert.excluded.note, "count": heartbeats.c.count + 1},
    ),
)


async def beat(connection: AsyncConnection, name: str, at: datetime, note: str | None = None) -> None:
    await connection.execute(_BEAT.on(connection), {"name": name, "at": at, "note": note, "count": 1})


async def last(connection: AsyncConnection, name: str) -> Heartbeat | None:
    row = (await connection.execute(select(heartbeats).where(heartbeats.c.name == name))).mappings().first()
    return None if row is None else Heartbeat(**row)


async def every(connection: AsyncConnection) -> list[Heartbeat]:
    rows = (await connection.execute(select(heartbeats).order_by(heartbeats.c.name))).mappings()
    return [Heartbeat(**row) for row in rows]
