"""Months of a small company's feedback: whatever is allowed may happen, in an order drawn from a seed."""

import random
from datetime import date, timedelta

from sqlalchemy import select, update

from services.router import tables
from services.router.domain import commands
from services.router.domain.decision import InvalidCommand, Refused
from tests.support.domain import ANA, LEA, touch
from tests.support.router import RouterBench

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def slack_answers(router: RouterBench, after: timedelta = timedelta(seconds=1), kind: str | None = None) -> None:
    """Every message that waits (of a `kind`) is seen, as the delivery would write it."""
    notices = tables.notices
    async with router.database.transaction() as tx:
        waiting = select(notices).where(notices.c.state == "pending")
        if kind is not None:
            waiting = waiting.where(notices.c.kind == kind)
        for notice in (await tx.execute(waiting)).mappings().all():
            sent_at = notice["created_at"] + after
            await tx.execute(update(notices).where(notices.c.id == notice["id"]).values(state="sent", sent_at=sent_at))
            if notice["since"] is not None:
                seen = commands.RecordAlert(
                    actor="system", notice_id=notice["id"], role=notice["role"], sent_at=sent_at, since=notice["since"]
                )
                await router.cases.apply(tx, notice["case_id"], seen, router.clock.now())


class Life:
    """Months of a small company's feedback, from a list of numbers: whatever is allowed may happen."""

    def __init__(self, router: RouterBench, choices: random.Random) -> None:
        self._router = router
        self._choices = choices
        self._people: dict[str, str] = {}

    async def step(self) -> None:
        often = [self._answers, self._acts, self._acts]
        seldom = [self._waits, self._seen, self._directory, self._rates_again, self._reopens_a_ticket, self._midnight]
        await self._choices.choice([*often, *often, *often, *seldom])()

    async def _answers(self) -> None:
        domain = self._choices.choice(["acme.example", "bolt.example", "stray.example", "gmail.com"])
        record = f"r{len(self._people) + 1}"
        self._people[record] = f"p{self._choices.randint(1, 3)}@{domain}"
        await self._rates(record, self._choices.choice([1, 2, 3, 5]))

    async def _rates_again(self) -> None:
        if self._people:
            self._router.clock.advance(timedelta(minutes=1))
            await self._rates(self._choices.choice(list(self._people)), self._choices.choice([1, 3, 5]))

    async def _rates(self, record: str, score: int) -> None:
        answer = self._router.answer(
            score, record_id=record, ticket_id=f"T-{record}", requester_email=self._people[record], comment="It fails"
        )
        await self._router.hears(answer)

    async def _reopens_a_ticket(self) -> None:
        if self._people:
            ticket = f"T-{self._choices.choice(list(self._people))}"
            await self._router.ticket("open", ticket_id=ticket, record_id=ticket)

    async def _midnight(self) -> None:
        """Where one period ends and the next begins."""
        now = self._router.clock.now()
        await self._router.passes(now.replace(hour=0, minute=0) + DAY - now)

    async def _acts(self) -> None:
        cases = await self._router.all_cases()
        if not cases:
            return
        view = self._choices.choice(cases)
        command = self._command(view.case.version)
        try:
            await self._router.does(view.case.id, command)
        except (Refused, InvalidCommand):
            return

    def _command(self, version: int) -> commands.Command:
        now, actor = self._router.clock.now(), self._choices.choice([ANA, LEA])
        backdated = touch(
            now - HOUR * self._choices.choice([0, 0, 2]), actor=actor, version=version, next_step_due=date(2028, 1, 1)
        )
        return self._choices.choice(
            [
                backdated,
                backdated,
                backdated,
                commands.Acknowledge(actor=actor),
                commands.Resolve(actor=actor, outcome="fixed", what_was_done="Repaired"),
                commands.ConfirmClosed(actor=actor, promise_kept=self._choices.choice([None, True, False])),
                commands.ConfirmClosed(actor=actor, outcome="customer_left", what_was_done="They left"),
                commands.StillOpen(actor=actor, reason=f"Not yet {now}"),
                commands.Reopen(actor=actor, reason=f"Again {now}"),
                commands.CorrectTouch(actor=actor, reason=f"Wrong case {now}"),
                commands.Reassign(actor=actor, new_owner="new@us.example", reason="Leave"),
                commands.Dismiss(actor=actor, reason="A robot"),
                commands.Snooze(actor=actor, until=now + DAY, reason="Waiting"),
                commands.AddNote(actor=actor, note="Called, no answer"),
            ]
        )

    async def _waits(self) -> None:
        await self._router.passes(HOUR * self._choices.choice([1, 5, 26, 170]), step=HOUR * 6)

    async def _seen(self) -> None:
        await slack_answers(self._router, timedelta(seconds=self._choices.choice([0.4, 30, 7000])))

    async def _directory(self) -> None:
        self._router.clock.advance(timedelta(seconds=1))
        id_ = self._choices.choice(["acme", "bolt"])
        domains = [f"{id_}.example", *(["stray.example"] if self._choices.random() < 0.4 else [])]
        await self._router.account(id_, domains=domains, csm=self._choices.choice([ANA, "other@us.example", None]))


async def live(router: RouterBench, seed: int, steps: int) -> None:
    life = Life(router, random.Random(seed))
    for _ in range(steps):
        await life.step()
