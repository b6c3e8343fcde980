"""Who is away at an instant, and who stands in: chains are followed, circles are found and named."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.router.domain.calendar import zone_of

SETTLE = timedelta(minutes=1)
"""A transaction that began before a cover started may commit after it: everything is looked at once more then."""


@dataclass(frozen=True, slots=True)
class Cover:
    """`person` is away from `starts_at` until before `ends_at` (None: until they say they are back), and `cover` stands
    in (None: nobody was named). `timezone` is the one the dates were meant in; `ended_at` when it was ended early."""

    id: str
    person: str
    cover: str | None
    starts_at: datetime
    ends_at: datetime | None
    created_at: datetime
    timezone: str = "UTC"
    ended_at: datetime | None = None

    @property
    def over_at(self) -> datetime | None:
        ends = [at for at in (self.ends_at, self.ended_at) if at is not None]
        return min(ends, default=None)

    def holds(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.over_at is None or at < self.over_at)

    def next_look(self, after: datetime) -> datetime | None:
        """When the cases concerned must be looked at next: it starts, it ends, and a moment after each."""
        turns = [max(self.starts_at, self.created_at)]
        if self.over_at is not None:
            turns = [turn for turn in turns if turn < self.over_at] + [max(self.over_at, self.created_at)]
        looks = [look for turn in turns for look in (turn, turn + SETTLE)]
        return min((look for look in looks if look > after), default=None)


@dataclass(frozen=True, slots=True)
class StandIn:
    """What became of an absent person's work. `email` is None where nobody stands in; `words` say why or how long."""

    email: str | None
    words: str


@dataclass(frozen=True, slots=True)
class Absences:
    """Everybody who is away at `at`, by e-mail."""

    at: datetime | None = None
    covers: Mapping[str, Cover] = field(default_factory=dict)

    def of(self, person: str) -> StandIn | None:
        """None when this person is there. A chain ends at the first who is there."""
        first = self.covers.get(person)
        if first is None:
            return None
        away = f"{person} is away until {self._until(first)}"
        chain = self.chain(person)
        last = chain[-1]
        if last in chain[:-1]:
            return StandIn(None, f"{away} and the covers go round in a circle: {' -> '.join(chain)}")
        if last in self.covers:
            whose = "" if last == person else f"; so is {last}"
            return StandIn(None, f"{away}{whose} and nobody is named to cover")
        between = f", by way of {', '.join(chain[1:-1])}" if len(chain) > 2 else ""
        return StandIn(last, f"covers for {person} until {self._until(first)}{between}")

    def chain(self, person: str) -> list[str]:
        """The person, who stands in, who stands in for those, and so on: up to somebody who is there, who names nobody,
        or who comes a second time."""
        chain = [person]
        while (cover := self.covers.get(chain[-1])) is not None and cover.cover is not None:
            chain.append(cover.cover)
            if cover.cover in chain[:-1]:
                break
        return chain

    def _until(self, cover: Cover) -> str:
        return until_words(cover, self.at or cover.starts_at)


NOBODY_AWAY = Absences()


def absences(covers: Iterable[Cover], at: datetime) -> Absences:
    """Of several covers of one person at that instant the one made last counts: people correct themselves."""
    holding = sorted((cover for cover in covers if cover.holds(at)), key=lambda cover: (cover.created_at, cover.id))
    return Absences(at, {cover.person: cover for cover in holding})


def circle(new: Cover, others: Collection[Cover]) -> list[str]:
    """The chain from the person of `new` back to that person which it would close at some time of its absence, the
    others being as they are; empty when it closes none."""
    met = {new.cover}
    while more := {other.cover for other in others if other.person in met} - met:
        met |= more
    if new.person not in met:
        return []
    concerned = [new, *(other for other in others if other.person in met)]
    begins_at = max(new.starts_at, new.created_at)
    turns = {at for cover in concerned for at in (cover.starts_at, cover.over_at) if at is not None and at > begins_at}
    for at in (begins_at, *sorted(turns)):
        chain = absences(concerned, at).chain(new.person)
        if new.holds(at) and chain[-1] == new.person:
            return chain
    return []


def until_words(cover: Cover, now: datetime) -> str:
    """The last day of an absence, such as `Fri 27 Nov`, as it is called where the person lives."""
    if cover.ends_at is None:
        return "they are back"
    last = cover.ends_at - timedelta(microseconds=1)
    year = f" {last.year}" if last.year != now.year else ""
    return f"{day_of(last, cover.timezone)}{year}"


def day_of(at: datetime, timezone: str) -> str:
    """`Fri 27 Nov`, as it is there."""
    there = at.astimezone(zone_of(timezone))
    return f"{there:%a} {there.day} {there:%b}"
