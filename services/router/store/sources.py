"""What came from each source, minute by minute, and how each source is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.tables import source_minutes, sources
from shared.db.statements import unless_there
from shared.events.catalog import SourceHeard

_REASONS = ("ignored", "rejected", "api")

_BEGIN_MINUTE = unless_there(source_minutes)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over a span of time; `reasons` has `ignored`, `rejected` and `api`."""

    accepted: int = 0
    ignored: int = 0
    rejected: int = 0
    duplicates: int = 0
    late_detected: int = 0
    lag_total_s: float = 0.0
    lag_count: int = 0
    lag_max_s: float = 0.0
    reasons: Mapping[str, Mapping[str, int]] | None = None

    @property
    def lag_mean_s(self) -> float | None:
        return self.lag_total_s / self.lag_count if self.lag_count else None

    def by_reason(self, kind: str) -> dict[str, int]:
        return dict((self.reasons or {}).get(kind, {}))


async def add_heard(tx: AsyncConnection, heard: SourceHeard) -> None:
    """Add what an ingest process heard, and remember how the source is set up."""
    row = await _locked(tx, heard.source, heard.minute)
    told: dict[str, Mapping[str, int]] = {"ignored": heard.ignored, "rejected": heard.rejected, "api": heard.api}
    reasons = {kind: dict(Counter(row["reasons"].get(kind, {})) + Counter(told[kind])) for kind in _REASONS}
    await _update(
        tx,
        heard.source,
        heard.minute,
        accepted=row["accepted"] + heard.accepted,
        ignored=row["ignored"] + sum(heard.ignored.values()),
        rejected=row["rejected"] + sum(heard.rejected.values()),
        reasons=reasons,
        lag_total_s=row["lag_total_s"] + heard.lag_total_s,
        lag_count=row["lag_count"] + heard.lag_count,
        lag_max_s=max(row["lag_max_s"], heard.lag_max_s),
    )
    await _remember(tx, heard)


async def count(tx: AsyncConnection, source: str, at: datetime, *, duplicates: int = 0, late_detected: int = 0) -> None:
    """Add what only the router can know."""
    minute = at.replace(second=0, microsecond=0)
    row = await _locked(tx, source, minute)
    await _update(
        tx,
        source,
        minute,
        duplicates=row["duplicates"] + duplicates,
        late_detected=row["late_detected"] + late_detected,
    )


async def tallies(connection: AsyncConnection, since: datetime) -> dict[str, Tally]:
    """Since then, by source."""
    names = [name for name in Tally.__slots__ if name != "reasons"]
    statement = select(source_minutes).where(source_minutes.c.minute >= since)
    found: dict[str, Tally] = {}
    for row in (await connection.execute(statement)).mappings():
        before = found.get(row["source"], Tally())
        sums = {name: getattr(before, name) + row[name] for name in names if name != "lag_max_s"}
        reasons = {
            kind: dict(Counter(before.by_reason(kind)) + Counter(row["reasons"].get(kind, {}))) for kind in _REASONS
        }
        found[row["source"]] = Tally(**sums, lag_max_s=max(before.lag_max_s, row["lag_max_s"]), reasons=reasons)
    return found


async def late_detected(connection: AsyncConnection, source: str, since: datetime) -> int:
    statement = select(func.coalesce(func.sum(source_minutes.c.late_detected), 0)).where(
        source_minutes.c.source == source, source_minutes.c.minute >= since
    )
    return int((await connection.execute(statement)).scalar_one())


async def hourly(connection: AsyncConnection, since: datetime) -> dict[str, dict[datetime, int]]:
    """How many deliveries were heard in each hour since then, by source."""
    heard = func.sum(source_minutes.c.accepted + source_minutes.c.ignored)
    statement = (
        select(source_minutes.c.source, source_minutes.c.hour, heard.label("heard"))
        .where(source_minutes.c.minute >= since)
        .group_by(source_minutes.c.source, source_minutes.c.hour)
    )
    found: dict[str, dict[datetime, int]] = {}
    for row in await connection.execute(statement):
        found.setdefault(row.source, {})[row.hour] = int(row.heard)
    return found


async def every(connection: AsyncConnection) -> list[RowMapping]:
    """The rows of all sources, by name."""
    return list((await connection.execute(select(sources).order_by(sources.c.source))).mappings())


async def change_state(
    tx: AsyncConnection, row: RowMapping, state: str, words: str, now: datetime, notice_id: str | None
) -> bool:
    """False when another router has changed it meanwhile. A notice not told yet gives way to the newer one."""
    statement = (
        update(sources)
        .where(sources.c.source == row["source"], sources.c.state == row["state"], sources.c.since == row["since"])
        .values(state=state, words=words, since=now, notice_id=notice_id, attempted_at=None, told_at=None)
    )
    return bool((await tx.execute(statement)).rowcount)


async def untold(connection: AsyncConnection) -> list[RowMapping]:
    statement = select(sources).where(sources.c.notice_id.is_not(None), sources.c.told_at.is_(None))
    return list((await connection.execute(statement)).mappings())


async def attempt(tx: AsyncConnection, notice_id: str, now: datetime) -> None:
    await tx.execute(update(sources).where(sources.c.notice_id == notice_id).values(attempted_at=now))


async def told(tx: AsyncConnection, notice_id: str, now: datetime) -> None:
    await tx.execute(update(sources).where(sources.c.notice_id == notice_id).values(told_at=now))


async def forget(tx: AsyncConnection, before: datetime) -> int:
    """Delete the minutes before then; returns how many."""
    return int((await tx.execute(delete(source_minutes).where(source_minutes.c.minute < before))).rowcount)


async def _locked(tx: AsyncConnection, source: str, minute: datetime) -> RowMapping:
    blank = {
        "source": source,
        "minute": minute,
        "hour": minute - timedelta(minutes=minute.minute),
        "reasons": {},
    }
    await tx.execute(_BEGIN_MINUTE.on(tx), blank)
    statement = (
        select(source_minutes)
        .where(source_minutes.c.source == source, source_minutes.c.minute == minute)
        .with_for_update()
    )
    return (await tx.execute(statement)).mappings().one()


async def _update(tx: AsyncConnection, source: str, minute: datetime, **values: Any) -> None:
    where = (source_minutes.c.source == source) & (source_minutes.c.minute == minute)
    await tx.execute(update(source_minutes).where(where).values(**values))


async def _remember(tx: AsyncConnection, heard: SourceHeard) -> None:
    statement = select(sources).where(sources.c.source == heard.source).with_for_update()
    before = (await tx.execute(statement)).mappings().first()
    at = heard.at if heard.accepted or heard.ignored else None
    accepted_at = heard.at if heard.accepted else None
    if before is None:
        await tx.execute(
            insert(sources).values(
                source=heard.source,
                first_heard_at=at,
                last_heard_at=at,
                last_accepted_at=accepted_at,
                reported_at=heard.at,
                about=heard.about,
                since=heard.at,
            )
        )
        return
    newer = heard.at >= before["reported_at"]
    values = {
        "first_heard_at": _first(before["first_heard_at"], at),
        "last_heard_at": _last(before["last_heard_at"], at),
        "last_accepted_at": _last(before["last_accepted_at"], accepted_at),
        "reported_at": max(before["reported_at"], heard.at),
        "about": heard.about if newer else before["about"],
    }
    await tx.execute(update(sources).where(sources.c.source == heard.source).values(**values))


def _first(known: datetime | None, at: datetime | None) -> datetime | None:
    return min(filter(None, (known, at)), default=None)


def _last(known: datetime | None, at: datetime | None) -> datetime | None:
    return max(filter(None, (known, at)), default=None)
