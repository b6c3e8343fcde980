"""Working calendars from the policy's [calendar.*]: local hours, public holidays by country, days off."""

from collections.abc import Callable, Sequence
from datetime import date, time
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from services.router.domain.calendar import WorkingCalendar
from shared.errors import ConfigurationError
from shared.policy import Calendar, Policy

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def build_calendars(policy: Policy) -> dict[str, WorkingCalendar]:
    """Raises ConfigurationError naming the key of a wrong zone, interval, country or date."""
    return {name: _build(f"calendar.{name}", calendar) for name, calendar in policy.calendar.items()}


def _build(key: str, calendar: Calendar) -> WorkingCalendar:
    try:
        zone = ZoneInfo(calendar.timezone)
    except (ZoneInfoNotFoundError, ValueError) as wrong:
        raise ConfigurationError(f"{key}.timezone: unknown time zone {calendar.timezone!r}") from wrong
    hours = tuple(_hours(f"{key}.{day}", getattr(calendar, day)) for day in _WEEK)
    if not any(hours):
        raise ConfigurationError(f'{key}: no working hours; write for example mon = ["09:00-17:00"]')
    return WorkingCalendar(zone, hours, _days_off(key, calendar))


def _hours(key: str, texts: Sequence[str]) -> tuple[tuple[time, time], ...]:
    """A day's intervals in order."""
    intervals = sorted(_interval(key, text) for text in texts)
    for (_, closes), (opens, _) in pairwise(intervals):
        if opens < closes:
            raise ConfigurationError(f"{key}: the intervals overlap at {opens:%H:%M}")
    return tuple(intervals)


def _interval(key: str, text: str) -> tuple[time, time]:
    try:
        opens, closes = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as wrong:
        raise ConfigurationError(f'{key}: an interval is written like "09:00-17:00", not {text!r}') from wrong
    if opens >= closes:
        raise ConfigurationError(f"{key}: {text!r} ends before it begins")
    return opens, closes


def _days_off(key: str, calendar: Calendar) -> Callable[[date], bool]:
    try:
        extra = frozenset(date.fromisoformat(text) for text in calendar.days_off)
    except ValueError as wrong:
        raise ConfigurationError(f"{key}.days_off: {wrong}") from wrong
    if calendar.holidays is None:
        return extra.__contains__
    country, _, region = calendar.holidays.partition("-")
    try:
        public = holidays.country_holidays(country, subdiv=region or None)
    except NotImplementedError as wrong:
        raise ConfigurationError(f"{key}.holidays: unknown country or region {calendar.holidays!r}") from wrong
    return lambda day: day in extra or day in public
