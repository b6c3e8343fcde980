"""Reports as they are asked for: the table of figures, and the promises behind one of its numbers."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.router.audit.facts.connection import Connection
from services.router.audit.facts.promises import read_promises
from services.router.audit.figures import Group, Line, group_of, tabulate
from services.router.audit.metrics import Metric
from services.router.audit.periods import PeriodKind, Window, period_window
from services.router.audit.promise import Promise

_IN_JOURNAL = (Group.TIER, Group.SEGMENT)


@dataclass(frozen=True, slots=True)
class Report:
    """Which promises, cut into which periods and groups."""

    within: Window
    kind: PeriodKind = PeriodKind.WEEK
    group: Group = Group.NONE

    def days_of(self, period: date) -> tuple[date, date]:
        """First and last day of one of its periods, no further than the report reaches."""
        whole = period_window(period, self.kind)
        start, end = max(whole.start, self.within.start), min(whole.end, self.within.end)
        return start.date(), (end - timedelta(days=1)).date()

    def up_to(self, period: date) -> Window:
        """Its window as far as that period, included."""
        end = period_window(period, self.kind).end
        return Window(self.within.start, max(self.within.start, min(self.within.end, end)))


@dataclass(frozen=True, slots=True)
class Behind:
    """The promises behind a number: those `metric` counts (all, without one) in the group `value` (any, without)."""

    metric: Metric | None = None
    value: str | None = None

    def has(self, promise: Promise, group: Group, now: datetime) -> bool:
        counted = self.metric is None or self.metric.counts(promise, now)
        return counted and (self.value is None or group_of(promise, group) == self.value)


async def lines_of(
    connection: Connection, report: Report, now: datetime, after: tuple[date, str] | None = None
) -> list[Line]:
    """The table, newest period first; periods and groups in which nothing happened have no line. Those past `after`
    (period, group) when it is given: what is newer is not read again."""
    within = report.within if after is None else report.up_to(after[0])
    async with aclosing(read_promises(connection, within, with_tier=report.group in _IN_JOURNAL)) as promises:
        lines = await tabulate(promises, report.kind, report.group, now)
    return [line for line in lines if after is None or line.period < after[0] or line.group > after[1]]


async def promises_behind(
    connection: Connection, report: Report, behind: Behind, now: datetime, after: tuple[datetime, str] | None = None
) -> AsyncGenerator[Promise, None]:
    """Oldest first; those past `after` (start, clock id) when it is given."""
    async with aclosing(read_promises(connection, report.within, after, with_tier=True)) as promises:
        async for promise in promises:
            if behind.has(promise, report.group, now):
                yield promise


async def first_behind(
    connection: Connection,
    report: Report,
    behind: Behind,
    now: datetime,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> list[Promise]:
    """A page of them."""
    found: list[Promise] = []
    async with aclosing(promises_behind(connection, report, behind, now, after)) as promises:
        async for promise in promises:
            found.append(promise)
            if len(found) == limit:
                break
    return found
