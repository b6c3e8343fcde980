"""The promises of a case: spans by policy, frozen when a clock starts, and the instants they lead to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.router.domain.calendar import WorkingCalendar
from shared.policy import SlaPolicy, SlaTier

ALWAYS = "always"
Calendars = Mapping[str, WorkingCalendar]


@dataclass(frozen=True, slots=True)
class Terms:
    """The spans of policy key [sla] after tiers are applied. A clock keeps the terms it was started with."""

    touch_within: timedelta = timedelta(hours=24)
    close_out_after: timedelta = timedelta(days=7)
    close_out_within: timedelta = timedelta(hours=48)
    remind_before: tuple[timedelta, ...] = (timedelta(hours=4),)
    escalate_every: timedelta = timedelta(hours=4)
    calendar: str = ALWAYS
    acknowledge_expires_after: timedelta = timedelta(hours=8)


def terms_for(policy: SlaPolicy, severity: str, tier: str | None, segment: str | None) -> Terms:
    """The first [[sla.tier]] whose every named condition fits sets the spans it names; [sla] sets the rest."""
    match = next((item for item in policy.tier if _fits(item, severity, tier, segment)), None)
    return Terms(
        touch_within=(match and match.touch_within) or policy.touch_within,
        close_out_after=(match and match.close_out_after) or policy.close_out_after,
        close_out_within=(match and match.close_out_within) or policy.close_out_within,
        remind_before=policy.remind_before,
        escalate_every=policy.escalate_every,
        calendar=(match and match.calendar) or policy.calendar,
        acknowledge_expires_after=policy.acknowledge_expires_after,
    )


def _fits(item: SlaTier, severity: str, tier: str | None, segment: str | None) -> bool:
    wanted = ((item.when.severity, severity), (item.when.tier, tier), (item.when.segment, segment))
    return all(want is None or want == have for want, have in wanted)


def due(start: datetime, span: timedelta, calendar: str, calendars: Calendars) -> datetime:
    """`start` + `span` in the named calendar; "always" counts every hour."""
    return start + span if calendar == ALWAYS else calendars[calendar].add(start, span)


def reminders(start: datetime, due_at: datetime, before: tuple[timedelta, ...]) -> list[datetime]:
    """When to remind; a reminder that would fall at or before the opening is not sent."""
    return sorted(due_at - span for span in before if due_at - span > start)
