"""A router without its network: rows, intake, directory and sweeper under a clock that turns forward."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import RowMapping

from services.router import tables
from services.router.cases import Applied, Cases
from services.router.covering import Absence, Covering, Entered
from services.router.deadlines import Sweeper
from services.router.directory import Directory
from services.router.domain.commands import Command
from services.router.domain.view import CaseView, EntryView
from services.router.finding import Finder
from services.router.intake import Intake
from services.router.raising import Raiser
from services.router.store import views
from shared.clock import Clock, ManualClock
from shared.db.engine import Database
from shared.events import catalog
from shared.events.catalog import AccountUpdated, FeedbackScored, Reason, SurveyResponded, TicketChanged
from shared.events.envelope import Event, Message, to_record
from shared.policy import Policy, parse_policy
from shared.settings import DatabaseSettings
from tests.support.databases import lay_out

_NO_LETTER = re.compile(r"\W")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def as_message(event: Event, offset: int = 0) -> Message:
    record = to_record(event)
    return Message(record.topic, 0, offset, record.key, record.value, record.headers, event.time)


class RouterBench:
    """`router = await RouterBench.create(url)`; then tell it what customers answered, and turn its clock."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self.clock = ManualClock(NOON)
        self.database = database
        self.policy = policy
        self.cases = Cases(policy)
        self.woken = 0
        self.finder = Finder(policy)
        self.raiser = Raiser(self.cases, self.finder, policy)
        self.intake = self.intake_at(self.clock)
        self.directory = Directory(database, self.cases, self.finder, self.raiser, self.clock, self._wake)
        self.sweeper = Sweeper(database, self.cases, self.raiser, self.clock, self._wake)
        self._absences = False
        self.covering = Covering(database, self.cases, policy, self.clock, self._wake)

    @classmethod
    async def create(cls, url: str, policy: str = "") -> "RouterBench":
        database = Database(DatabaseSettings(url=url))
        await lay_out(database)
        return cls(database, parse_policy(policy))

    def intake_at(self, clock: Clock) -> Intake:
        """As another router would have it, whose clock may differ."""
        return Intake(self.database, self.cases, self.finder, self.raiser, clock, self._wake)

    async def close(self) -> None:
        await self.database.close()

    def _wake(self) -> None:
        self.woken += 1

    async def account(self, id: str = "acme", **facts: Any) -> None:
        data: dict[str, Any] = {
            "name": "Acme Ltd",
            "domains": ["acme.example"],
            "arr": 250_000.0,
            "currency": "EUR",
            "csm": "ana@us.example",
            "csm_manager": "max@us.example",
            "support_lead": "lea@us.example",
            "changed_at": self.clock.now(),
        }
        account = AccountUpdated(id=id, **{**data, **facts})
        await self.directory.handle([as_message(catalog.account_updated(account))])

    def answer(self, score: float | None = 2, **facts: Any) -> Message:
        """A scored response as scoring sends it, each record of another person; flagged when the score is 3 or less."""
        record = facts.get("record_id", "r1")
        person = "dora" if record == "r1" else _NO_LETTER.sub("-", record)
        flagged = facts.pop("flagged", score is not None and score <= 3)
        late = facts.pop("late", False)
        data: dict[str, Any] = {
            "source": "zendesk",
            "unique_id": f"delivery-{facts.get('record_id', 'r1')}-{score}-{self.clock.now().isoformat()}",
            "record_id": "r1",
            "received_at": self.clock.now(),
            "occurred_at": self.clock.now(),
            "metric": "csat",
            "raw_score": score,
            "raw_scale": {"min": 1, "max": 5},
            "normalised_score": score,
            "comment": None,
            "ticket_id": "T-1",
            "subject": "Export fails",
            "ticket_url": "https://desk.example/t/1",
            "requester_email": f"{person}@acme.example",
            "requester_name": "Dora",
        }
        response = SurveyResponded(**{**data, **facts})
        reasons = [Reason("csat", f"CSAT {score} of 5 is at or below 3")] if flagged else []
        scored = FeedbackScored(
            response=response,
            flagged=flagged,
            late=late,
            reasons=reasons,
            policy_version=self.policy.version,
            scored_at=self.clock.now(),
        )
        return as_message(catalog.feedback_scored(scored, catalog.survey_responded(response).id))

    async def hears(self, *messages: Message) -> None:
        await self.intake.handle(messages)

    async def low(self, score: float = 2, **facts: Any) -> CaseView:
        """A low score arrives; the account's open case is returned."""
        message = self.answer(score, **facts)
        await self.hears(message)
        return (await self.all_cases())[0]

    async def ticket(self, status: str, **facts: Any) -> None:
        data: dict[str, Any] = {
            "source": "zendesk",
            "unique_id": f"ticket-{status}-{self.clock.now().isoformat()}",
            "record_id": "T-1",
            "ticket_id": "T-1",
            "received_at": self.clock.now(),
            "occurred_at": self.clock.now(),
            "ticket_status": status,
        }
        await self.directory.handle([as_message(catalog.ticket_changed(TicketChanged(**{**data, **facts})))])

    async def does(self, case_id: str, command: Command) -> Applied:
        async with self.database.transaction() as tx:
            return await self.cases.apply(tx, case_id, command, self.clock.now())

    async def away(
        self, person: str, cover: str | None, starts_in: timedelta = timedelta(0), days: float | None = 5, **facts: Any
    ) -> Entered:
        """Somebody is away from then for so many days (None: until they are back)."""
        self._absences = True
        starts_at = self.clock.now() + starts_in
        ends_at = starts_at + timedelta(days=days) if days is not None else None
        given: dict[str, Any] = {"source": "api", "created_by": person, **facts}
        absence = Absence(person=person, cover=cover, starts_at=starts_at, ends_at=ends_at, **given)
        return await self.covering.enter(absence)

    async def passes(self, span: timedelta, step: timedelta | None = None) -> None:
        """Time goes by; what falls due is fired in between, at most `step` late."""
        until = self.clock.now() + span
        while self.clock.now() < until:
            self.clock.advance(min(step or span, until - self.clock.now()))
            await self.sweeper.sweep()
            if self._absences:
                await self.covering.sweep()

    async def case(self, case_id: str) -> CaseView:
        async with self.database.read() as connection:
            found = await views.load_view(connection, case_id)
        assert found is not None
        return found

    async def all_cases(self) -> list[CaseView]:
        async with self.database.read() as connection:
            return await views.list_cases(connection, now=self.clock.now(), limit=1000)

    async def journal(self, case_id: str) -> list[EntryView]:
        async with self.database.read() as connection:
            return await views.load_journal(connection, case_id)

    async def told(self, case_id: str | None = None) -> list[tuple[str, str]]:
        """(kind, recipient) of every notice, in the order they were written."""
        return [(row["kind"], row["recipient"]) for row in await self.notices(case_id)]

    async def notices(self, case_id: str | None = None) -> Sequence[RowMapping]:
        table = tables.notices
        statement = select(table).order_by(table.c.created_at, table.c.seq, table.c.role)
        if case_id is not None:
            statement = statement.where(table.c.case_id == case_id)
        async with self.database.read() as connection:
            return (await connection.execute(statement)).mappings().all()
