"""Promises to tables: one line for each period and group, one column for each metric."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.router.audit.metrics import METRICS, Number
from services.router.audit.periods import PeriodKind, start_of
from services.router.audit.promise import Promise

ALL = "all"
NONE = "(none)"


class Group(StrEnum):
    NONE = "none"
    OWNER = "owner"
    ACCOUNT = "account"
    SEVERITY = "severity"
    SOURCE = "source"
    METRIC = "metric"
    TIER = "tier"
    SEGMENT = "segment"


GROUP_OF: dict[Group, Callable[[Promise], str | None]] = {
    Group.NONE: lambda promise: ALL,
    Group.OWNER: lambda promise: promise.owner,
    Group.ACCOUNT: lambda promise: promise.account_id or promise.account_name,
    Group.SEVERITY: lambda promise: promise.severity,
    Group.SOURCE: lambda promise: promise.source,
    Group.METRIC: lambda promise: promise.metric,
    Group.TIER: lambda promise: promise.tier,
    Group.SEGMENT: lambda promise: promise.segment,
}


@dataclass(frozen=True, slots=True)
class Line:
    """`period` is its first day; `label` is `group` for people; `figures` has every metric of METRICS by name."""

    period: date
    group: str
    label: str
    figures: dict[str, Number]


def group_of(promise: Promise, group: Group) -> str:
    return GROUP_OF[group](promise) or NONE


def measure(promises: Sequence[Promise], now: datetime) -> dict[str, Number]:
    """Every figure of these promises."""
    return {metric.name: metric.figure(promises, now) for metric in METRICS}


async def tabulate(promises: AsyncIterator[Promise], kind: PeriodKind, group: Group, now: datetime) -> list[Line]:
    """Lines newest period first, groups in order of name. `promises` come oldest first; no more than one period of
    them is kept at a time."""
    lines: list[Line] = []
    period: date | None = None
    groups: dict[str, list[Promise]] = defaultdict(list)
    async for promise in promises:
        start = start_of(promise.started_at, kind)
        if period is not None and start != period:
            lines = _period_lines(period, groups, now) + lines
            groups.clear()
        period = start
        groups[group_of(promise, group)].append(promise)
    return (_period_lines(period, groups, now) + lines) if period else lines


def _period_lines(period: date, groups: dict[str, list[Promise]], now: datetime) -> list[Line]:
    return [Line(period, name, _label(name, groups[name]), measure(groups[name], now)) for name in sorted(groups)]


def _label(name: str, promises: list[Promise]) -> str:
    """The name of an account, whose group is its id."""
    newest = promises[-1]
    return newest.account_name if name == newest.account_id else name
