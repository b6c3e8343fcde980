"""Every source as people look at it: how it is, and what came of the last day."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.store import sources
from services.router.store.sources import Tally

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SourceView:
    """`state`: new well silent rejecting refused unreported. Counts and lags (seconds, from the vendor's time to ours)
    are of the last 24 hours; `lost` counts responses that no webhook brought; `api` what came of asking the vendor;
    `credentials` says whether it may be asked."""

    source: str
    state: str
    since: datetime
    words: str
    last_event_at: datetime | None
    reported_at: datetime
    accepted: int
    ignored: dict[str, int]
    rejected: dict[str, int]
    duplicates: int
    lost: int
    api: dict[str, int]
    lag_mean_s: float | None
    lag_max_s: float | None
    credentials: bool
    reconciles: bool
    rule: str
    switch_on: str

    @property
    def rejected_total(self) -> int:
        return sum(self.rejected.values())

    @property
    def needs_credentials(self) -> int:
        """Events that came without a score and went on without one, because nobody could be asked."""
        return self.api.get("needs_credentials", 0)


async def overview(connection: AsyncConnection, now: datetime) -> list[SourceView]:
    """By name."""
    tallies = await sources.tallies(connection, now - DAY)
    views = []
    for row in await sources.every(connection):
        about, tally = row["about"], tallies.get(row["source"], Tally())
        views.append(
            SourceView(
                source=row["source"],
                state=row["state"],
                since=row["since"],
                words=row["words"],
                last_event_at=row["last_heard_at"],
                reported_at=row["reported_at"],
                accepted=tally.accepted,
                ignored=tally.by_reason("ignored"),
                rejected=tally.by_reason("rejected"),
                duplicates=tally.duplicates,
                lost=tally.late_detected,
                api=tally.by_reason("api"),
                lag_mean_s=tally.lag_mean_s,
                lag_max_s=tally.lag_max_s if tally.lag_count else None,
                credentials=bool(about.get("credentials")),
                reconciles=bool(about.get("reconciles")),
                rule=about.get("rule", ""),
                switch_on=about.get("switch_on", ""),
            )
        )
    return views
