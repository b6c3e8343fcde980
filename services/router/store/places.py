"""Where messages were put, and which of two that stand there is a notice's own."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import notices

_SETTLED = ("sent", "dead")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A channel, or with `thread` (the parent's ts) one thread in it; in this order they are visited."""

    channel: str
    thread: str = ""


async def written_to(connection: AsyncConnection, since: datetime, until: datetime) -> list[Place]:
    """Where something arrived in that time, in order."""
    arrived = (notices.c.channel.is_not(None), notices.c.sent_at >= since, notices.c.sent_at < until)
    statement = select(notices.c.channel, notices.c.thread_ts).where(*arrived).distinct()
    found = (await connection.execute(statement)).all()
    return sorted({Place(row.channel) for row in found} | {Place(row.channel, row.thread_ts or "") for row in found})


async def settled(connection: AsyncConnection, notice_ids: list[str]) -> set[str]:
    """Those of them that nobody is sending or looking for; what is no notice (a test alert) is settled too."""
    moving = select(notices.c.id).where(notices.c.id.in_(notice_ids), notices.c.state.not_in(_SETTLED))
    return set(notice_ids) - set((await connection.execute(moving)).scalars())


async def point_to(tx: AsyncConnection, channel: str, old: str, kept: str) -> bool:
    """The message at `kept` is from now on the one that all notices shown by the one at `old` live in; it is drawn
    again, for it may show less. False when none did."""
    shown = (notices.c.channel == channel, notices.c.ts == old, notices.c.state == "sent")
    rev = case((notices.c.kind == "card", 0), else_=notices.c.published_rev)
    done = await tx.execute(update(notices).where(*shown).values(ts=kept, published_rev=rev, repeat=False))
    return bool(done.rowcount)
