"""How often a source is normally heard in each hour of the week, and how unlikely its present silence is. Pure.

Learned from the last weeks. Hours are of UTC, so a change to summer time shifts the rhythm by one for some weeks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

HOURS = 24 * 7
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
LEARN_FROM = timedelta(weeks=4)
LEARN_AT_LEAST = WEEK
"""With less history than this nobody knows what is normal."""

_BURST = 4
_SMALL = 10


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`rates` are events an hour, for each of the 168 hours from Monday 00:00 UTC."""

    rates: tuple[float, ...]

    def expected(self, since: datetime, until: datetime) -> float:
        """How many events normally come between the two."""
        if until <= since:
            return 0.0
        weeks, rest = divmod(until - since, WEEK)
        total = weeks * sum(self.rates)
        at, end = since, since + rest
        while at < end:
            following = min(end, _hour(at) + HOUR)
            total += self.rates[_place(at)] * ((following - at) / HOUR)
            at = following
        return total


def learn(counts: Mapping[datetime, int], first_heard_at: datetime, now: datetime) -> Rhythm | None:
    """From the number of events in each hour (by its beginning); None while there is too little history.

    The busiest of three or more weeks does not count, and no hour counts for more than a few times what is usual: a
    replay or an import must not set the standard by which a normal day is silence."""
    begin = max(_hour(first_heard_at), _hour(now) - LEARN_FROM)
    span = _hour(now) - begin
    if span < LEARN_AT_LEAST:
        return None
    heard = {at: count for at, count in counts.items() if begin <= at < _hour(now) and count > 0}
    if not heard:
        return Rhythm((0.0,) * HOURS)
    usual = max(_SMALL, _BURST * median(heard.values()))
    capped = {at: min(count, usual) for at, count in heard.items()}
    shares = [0.0] * HOURS
    for at, count in capped.items():
        shares[_place(at)] += count
    everything = sum(shares)
    a_week = _events_a_week(capped, begin, span)
    # An hour is as busy as it and its neighbours were: four weeks are few.
    smooth = [(shares[i - 1] + 2 * shares[i] + shares[(i + 1) % HOURS]) / 4 for i in range(HOURS)]
    return Rhythm(tuple(a_week * share / everything for share in smooth))


def _events_a_week(counts: Mapping[datetime, float], begin: datetime, span: timedelta) -> float:
    whole = span // WEEK
    weeks = [0.0] * whole
    for at, count in counts.items():
        number = (at - begin) // WEEK
        if number < whole:
            weeks[number] += count
    kept = sorted(weeks)[:-1] if whole >= 3 else weeks
    return sum(kept) / len(kept)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _place(at: datetime) -> int:
    return at.weekday() * 24 + at.hour
