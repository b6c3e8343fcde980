"""Absences: when one starts, changes or ends, new and open cases go to the cover and come back (G5)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from services.router.cases import Cases, InvalidCommand, NotFound, owner_change
from services.router.domain import commands, owners
from services.router.domain.absence import Cover, circle
from services.router.domain.arrivals import SYSTEM
from services.router.domain.case import Case
from services.router.store import cases as rows
from services.router.store import covers, directory
from services.router.store.covers import Record
from shared import ids
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import TransientError
from shared.policy import Policy
from shared.runtime import sleep_or_stop

log = structlog.get_logger(__name__)

SOURCES = ("api", "csv", "slack", "status_hint")
_LOOK_EVERY = timedelta(seconds=1)
_LONGEST = timedelta(days=3 * 366)
_PART = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What somebody asks to be entered. `cover` None: nobody is named, the next role has the cases; `ends_at` None:
    until they are back; `source` is one of SOURCES."""

    person: str
    cover: str | None
    starts_at: datetime
    ends_at: datetime | None
    source: str
    created_by: str
    reason: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Entered:
    """`words` say what follows: who has the cases (`stand_in`), or why nobody named does; `fresh` is False for what was
    there."""

    record: Record
    moved: int
    words: str
    fresh: bool = True
    stand_in: str | None = None


class Covering:
    """`wake` is called after a commit that may have made notices."""

    def __init__(
        self, database: Database, cases: Cases, policy: Policy, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._cases = cases
        self._routing = policy.routing
        self._clock = clock
        self._wake = wake

    async def enter(self, absence: Absence, at_once: bool = True) -> Entered:
        """Enter an absence and move the cases where it has begun: at once, else within seconds by the loop. The same
        again changes nothing. Raises InvalidCommand."""
        now = self._clock.now()
        cover = checked(absence, now)
        record = Record(cover, absence.source, absence.reason.strip(), absence.created_by)
        async with self._database.transaction() as tx:
            known = await covers.same(tx, cover)
            begins_at = max(now, cover.starts_at)
            if known is None:
                await self._refuse_who_cannot(tx, cover, begins_at)
                await covers.add(tx, record, begins_at)
            stand_in = (await self._cases.reach(tx, begins_at)).absences.of(cover.person)
        moved = await self.sweep() if at_once else 0
        words = stand_in.words if stand_in is not None else "the absence is over"
        if stand_in is not None and stand_in.email is not None:
            words = f"{stand_in.email} {stand_in.words}"
        who = stand_in.email if stand_in is not None else None
        return Entered(known or record, moved, words, known is None, who)

    async def _refuse_who_cannot(self, tx: AsyncConnection, cover: Cover, begins_at: datetime) -> None:
        """Whom Slack is known not to reach, and whom the absent person stands in for at some time of the absence."""
        why = (await self._cases.reach(tx, begins_at)).unreachable.get(cover.cover or "")
        if why is not None:
            raise InvalidCommand("cover", f"{cover.cover} {why}: name somebody else.")
        chain = circle(cover, await covers.during(tx, begins_at, cover.ends_at))
        if chain:
            words = f"The covers would go round in a circle: {' -> '.join(chain)}. Name somebody else."
            raise InvalidCommand("cover", words)

    async def end(self, cover_id: str, actor: str) -> int:
        """End a cover, or take back one to come; returns how many cases changed hands. Raises NotFound.
        One that is over is left as it is."""
        async with self._database.transaction() as tx:
            record = await covers.load(tx, cover_id)
            if record is None:
                raise NotFound(f"There is no cover {cover_id}.")
            await self._end(tx, record.cover, actor)
        return await self.sweep()

    async def back(self, person: str, actor: str, at_once: bool = True, coming: bool = False) -> tuple[int, int]:
        """End every absence of a person that has begun, with `coming` also those that have not; returns how many, and
        how many cases changed hands (none yet where the loop is left to it)."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            known = [record.cover for record in await covers.listed(tx, now, person=person)]
            ending = [cover for cover in known if coming or cover.holds(now)]
            for cover in ending:
                await self._end(tx, cover, actor)
        return len(ending), await self.sweep() if at_once else 0

    async def coming(self, person: str) -> list[Cover]:
        """The absences of a person that have not begun, in order."""
        now = self._clock.now()
        async with self._database.read() as connection:
            found = await covers.listed(connection, now, person=person)
        return [record.cover for record in found if record.cover.starts_at > now]

    async def run(self, stop: asyncio.Event) -> None:
        """Any number of routers may run it."""
        while not stop.is_set():
            try:
                await self.sweep()
            except TransientError as error:
                log.warning("covers_postponed", why=str(error))
            await sleep_or_stop(self._clock, _LOOK_EVERY, stop)

    async def sweep(self) -> int:
        """Follow every absence that starts or ends now; returns how many cases changed hands."""
        changed = 0
        while True:
            now = self._clock.now()
            async with self._database.read() as connection:
                cover = await covers.next_due(connection, now)
            if cover is None:
                return changed
            moved = await self._follow_many(cover.person, now)
            async with self._database.transaction() as tx:
                if await covers.claim(tx, cover.id, now):
                    moved += await self._follow(tx, cover.person, now)
            changed += moved
            if moved:
                self._wake()

    async def _follow_many(self, person: str, now: datetime) -> int:
        """With many cases a part at a time, so that nothing else waits for long: looking at a case once more does
        nothing, and what is left is done with the claim."""
        async with self._database.read() as connection:
            case_ids = await covers.cases_owned(connection, person)
        changed = 0
        for start in range(0, len(case_ids) if len(case_ids) > _PART else 0, _PART):
            async with self._database.transaction() as tx:
                reach = await self._cases.reach(tx, now)
                for case_id in case_ids[start : start + _PART]:
                    changed += await self._follow_owner(tx, case_id, reach, now)
            self._wake()
        return changed

    async def _end(self, tx: AsyncConnection, cover: Cover, actor: str) -> None:
        now = self._clock.now()
        if cover.over_at is None or cover.over_at > now:
            await covers.end(tx, cover.id, actor, now)

    async def _follow(self, tx: AsyncConnection, person: str, now: datetime) -> int:
        """Give every open case this person's coming or going concerns to whom it belongs now."""
        reach = await self._cases.reach(tx, now)
        away = set(reach.absences.covers)
        by_policy = self._routing.support_lead in {person, *away}
        changed = 0
        for case_id in await covers.cases_owned(tx, person):
            changed += await self._follow_owner(tx, case_id, reach, now)
        for case_id in await covers.cases_led(tx, person, away, by_policy):
            changed += await self._follow_lead(tx, case_id, reach, now)
        return changed

    async def _follow_owner(self, tx: AsyncConnection, case_id: str, reach: owners.Reach, now: datetime) -> bool:
        case = await rows.load(tx, case_id)
        if case is None or case.ended:
            return False
        account = await directory.account_view(tx, case.account_id)
        choice = owners.instead_of(case.covers_for or case.owner, account, self._routing, *reach)
        if (choice.email, choice.covers_for) == (case.owner, case.covers_for):
            return False
        await self._cases.apply(tx, case_id, owner_change(_welcome(choice, case)), now)
        return True

    async def _follow_lead(self, tx: AsyncConnection, case_id: str, reach: owners.Reach, now: datetime) -> bool:
        case = await rows.load(tx, case_id)
        if case is None or case.ended:
            return False
        account = await directory.account_view(tx, case.account_id)
        choice = owners.lead(account, self._routing, *reach)
        if choice.email == case.support_lead:
            return False
        change = commands.ChangeLead(actor=SYSTEM, lead=choice.email, reason=choice.reason)
        await self._cases.apply(tx, case_id, change, now)
        return True


def _welcome(choice: owners.Choice, case: Case) -> owners.Choice:
    """Somebody who is back is told so."""
    if choice.covers_for is not None or choice.email != case.covers_for:
        return choice
    return owners.Choice(choice.email, choice.role, f"back from absence, {choice.reason}")


def checked(absence: Absence, now: datetime) -> Cover:
    """The cover that is asked for. Raises InvalidCommand naming the field that cannot be right."""
    person = _email(absence.person, "person")
    cover = _email(absence.cover, "cover") if absence.cover else None
    if cover == person:
        raise InvalidCommand("cover", "Nobody can cover for themselves: name somebody else.")
    if absence.ends_at is not None and absence.ends_at <= absence.starts_at:
        raise InvalidCommand("ends_at", "An absence must end after it starts.")
    if absence.ends_at is not None and absence.ends_at <= now:
        raise InvalidCommand("ends_at", "That is over already.")
    if absence.starts_at > now + _LONGEST:
        raise InvalidCommand("starts_at", "That is more than three years ahead.")
    if absence.source not in SOURCES:
        raise InvalidCommand("source", f"Choose one of: {', '.join(SOURCES)}.")
    return Cover(ids.new_id(), person, cover, absence.starts_at, absence.ends_at, now, _zone(absence.timezone))


def _email(text: str, field: str) -> str:
    email = text.strip().lower()
    if "@" not in email or len(email) > 320:
        raise InvalidCommand(field, "Name a person by e-mail.")
    return email


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as wrong:
        raise InvalidCommand("timezone", f"{name!r} is no time zone; write for example Europe/Berlin.") from wrong
