"""A source that falls silent, or is turned away, is told to the administrator once, and once when it is well again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.router import tables
from services.router.channels.base import NotSent, Outcome, Post, RateLimited, Reachable, Sent, Unreachable
from services.router.domain import cards
from services.router.domain.notices import plain
from services.router.domain.source_health import SourceState, Verdict
from services.router.sources_health import SourcesHeard, Watch, notice
from services.router.store import sources
from services.router.store.source_views import SourceView, overview
from shared.errors import PoisonError
from shared.events.catalog import SourceHeard, source_heard
from shared.events.envelope import Message, from_message
from tests.support.router import NOON, RouterBench, as_message
from tests.support.router_doors import Doors

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OPS = "cx-ops@example.com"
ABOUT = {"webhook": True, "credentials": False, "rule": "The breaker stops it.", "switch_on": "Activate it."}


class Telephone:
    """A channel that remembers what it was given; `outcome` is how the next send ends."""

    name = "telephone"

    def __init__(self) -> None:
        self.heard: list[Post] = []
        self.outcome: Outcome = Sent("D1", "1.0")
        self.reachable = True

    async def person(self, email: str) -> Reachable | Unreachable | NotSent | RateLimited:
        return Reachable(email, "U1", "D1") if self.reachable else Unreachable(email, "has no active account")

    async def send(self, post: Post) -> Outcome:
        self.heard.append(post)
        return self.outcome

    async def look(self, notice_id: str, place: str, thread: str | None, since: datetime) -> Any:
        return None

    @property
    def told(self) -> list[str]:
        return [post.message.text for post in self.heard]


class Listening:
    """A router's watch over one source, and an ingest that reports on it."""

    def __init__(self, router: RouterBench) -> None:
        self.router, self.clock = router, router.clock
        self.phone = Telephone()
        self.ears = SourcesHeard(router.database, router.clock)
        self.watch = Watch(router.database, router.clock, self.phone, OPS)  # type: ignore[arg-type]
        self.seq = 0

    async def hears(self, source: str = "zendesk", **facts: Any) -> None:
        await self.ears.handle([self.report(source, **facts)])

    def report(self, source: str, **facts: Any) -> Message:
        self.seq += 1
        now = self.clock.now()
        minute = now.replace(second=0, microsecond=0)
        fields = {"instance": "one", "seq": self.seq, "at": now, "minute": minute, "about": ABOUT, **facts}
        return as_message(source_heard(SourceHeard(source=source, **fields)))

    async def months_of_normal(self) -> None:
        """Four weeks with ten deliveries an hour, reported by the hour and read in one batch."""
        reports = []
        self.clock.advance(-timedelta(weeks=4))
        for _ in range(4 * 7 * 24):
            reports.append(self.report("zendesk", accepted=10))
            self.clock.advance(HOUR)
        assert self.clock.now() == NOON
        await self.ears.handle(reports)

    async def passes(self, span: timedelta, **facts: Any) -> None:
        """Time goes by; ingest says every five minutes what it hears, and the watch looks."""
        until = self.clock.now() + span
        while self.clock.now() < until:
            self.clock.advance(5 * MINUTE)
            await self.hears(**facts)
            await self.watch.look()

    async def view(self, source: str = "zendesk") -> SourceView:
        async with self.router.database.read() as connection:
            views = await overview(connection, self.clock.now())
        return next(view for view in views if view.source == source)


@pytest.fixture
async def listening(database_url: str) -> AsyncIterator[Listening]:
    router = await RouterBench.create(database_url)
    yield Listening(router)
    await router.close()


async def test_a_silent_source_is_told_once_and_again_when_it_is_heard(listening: Listening) -> None:
    await listening.months_of_normal()
    await listening.hears(accepted=1)
    await listening.watch.look()
    assert listening.phone.told == []
    await listening.passes(timedelta(hours=3))
    (silent,) = listening.phone.told
    assert silent.startswith("Source zendesk is silent. Nothing from zendesk since")
    assert "The breaker stops it. To switch it on again: Activate it." in silent
    assert (await listening.view()).state == SourceState.SILENT
    await listening.passes(timedelta(hours=1), accepted=1)
    assert len(listening.phone.told) == 2
    assert "well again" in listening.phone.told[1]


async def test_a_rejected_source_is_told_with_the_reason_until_something_is_taken(listening: Listening) -> None:
    await listening.hears(accepted=3)
    await listening.passes(timedelta(minutes=10), rejected={"signature": 6})
    await listening.passes(timedelta(hours=2))
    (rejecting,) = listening.phone.told
    assert "rejecting" in rejecting
    assert "because of: signature" in rejecting
    await listening.passes(timedelta(minutes=5), accepted=5)
    assert "well again" in listening.phone.told[-1]
    assert len(listening.phone.told) == 2


async def test_refused_credentials_are_told_in_the_vendors_words(listening: Listening) -> None:
    await listening.hears(accepted=1, about={**ABOUT, "trouble": "zendesk refuses our API credentials (401)"})
    await listening.watch.look()
    assert "zendesk refuses our API credentials (401)" in listening.phone.told[0]
    await listening.hears()
    await listening.watch.look()
    assert len(listening.phone.told) == 2


async def test_a_notice_that_could_not_be_sent_is_sent_later_and_two_watches_send_it_once(listening: Listening) -> None:
    await listening.hears(rejected={"signature": 9})
    listening.phone.reachable = False
    await listening.watch.look()
    assert listening.phone.told == []
    listening.phone.reachable = True
    listening.phone.outcome = NotSent("Slack is down")
    await listening.watch.look()
    listening.phone.outcome = Sent("D1", "2.0")
    other = Watch(listening.router.database, listening.clock, listening.phone, OPS)  # type: ignore[arg-type]
    await listening.watch.look()
    await other.look()
    assert len(listening.phone.told) == 2
    assert len({post.notice_id for post in listening.phone.heard}) == 1


async def test_what_was_heard_is_counted_once_however_often_it_is_told(listening: Listening) -> None:
    heard = SourceHeard(
        source="zendesk",
        instance="two",
        seq=1,
        at=NOON,
        minute=NOON,
        accepted=2,
        ignored={"not needed": 3},
        rejected={"signature": 1},
        lag_total_s=6,
        lag_count=2,
        lag_max_s=5,
        about=ABOUT,
    )
    message = as_message(source_heard(heard))
    await listening.ears.handle([message, message])
    await listening.ears.handle([message])
    await listening.hears(accepted=1, api={"enriched": 1})
    view = await listening.view()
    assert (view.accepted, view.ignored, view.rejected) == (3, {"not needed": 3}, {"signature": 1})
    assert (view.lag_mean_s, view.lag_max_s, view.api) == (3.0, 5.0, {"enriched": 1})
    assert view.last_event_at == NOON
    with pytest.raises(PoisonError):
        await listening.ears.handle([listening.router.answer()])


async def test_repeated_deliveries_and_lost_events_are_counted_by_source(listening: Listening) -> None:
    router = listening.router
    await router.account()
    await listening.hears(accepted=1)
    message = router.answer(5)
    await router.hears(message, message)
    await router.hears(message)
    found = router.answer(1, record_id="r2", unique_id="listed:r2", detected_by="reconciler")
    await router.hears(found)
    await router.hears(found)
    view = await listening.view()
    assert (view.duplicates, view.lost) == (2, 1)


async def test_a_response_found_late_says_so_on_its_card_and_is_alerted_as_usual(listening: Listening) -> None:
    router = listening.router
    await router.account()
    given = router.clock.now() - timedelta(minutes=42)
    view = await router.low(1, detected_by="reconciler", occurred_at=given)
    card = cards.card(view, "you own it", router.clock.now())
    assert "Found by reconciliation, 42 minutes after it was given." in [plain(line) for line in card.lines]
    assert [kind for kind, _ in await router.told()] == ["card", "card"]


@pytest.mark.parametrize(
    ("changes", "revised"),
    [
        ({}, False),
        ({"score": 1}, False),
        ({"score": 1, "later": 5 * MINUTE}, True),
        ({"comment": "Now with words"}, True),
        ({"later": 5 * MINUTE}, False),
        ({"later": -5 * MINUTE, "score": 1}, False),
    ],
)
async def test_a_known_response_in_the_vendors_list_changes_nothing_unless_it_says_something_new(
    listening: Listening, changes: dict[str, Any], revised: bool
) -> None:
    router = listening.router
    await router.account()
    case = (await router.low(2)).case
    changes = dict(changes)
    at = router.clock.now() + changes.pop("later", timedelta(0))
    facts = {"unique_id": "listed:r1", "detected_by": "reconciler", "subject": "other words", "occurred_at": at}
    await router.hears(router.answer(changes.pop("score", 2), **facts, **changes))
    types = [entry.type for entry in await router.journal(case.id)]
    assert ("response_revised" in types) == revised


@pytest.mark.parametrize("listed_first", [True, False])
async def test_a_rating_is_known_by_the_key_that_webhook_and_list_share(
    listening: Listening, listed_first: bool
) -> None:
    router = listening.router
    await router.account()
    same = {"source": "helpscout", "record_key": "thread:51:3002"}
    webhook = router.answer(2, **same, record_id="5434")
    listed = router.answer(2, **same, record_id="report:51:3002", unique_id="x", detected_by="reconciler")
    await router.hears(*((listed, webhook) if listed_first else (webhook, listed)))
    another = {**same, "record_key": "thread:51:3003", "record_id": "report:51:3003"}
    await router.hears(router.answer(2, **another, unique_id="y", detected_by="reconciler"))
    (case,) = await router.all_cases()
    assert len(case.responses) == 2
    await listening.hears("helpscout")
    assert (await listening.view("helpscout")).lost == (2 if listed_first else 1)


async def test_old_minutes_are_forgotten_and_the_rest_is_kept(listening: Listening) -> None:
    await listening.hears(accepted=1)
    listening.clock.advance(timedelta(weeks=9))
    await listening.hears(accepted=1)
    await listening.watch.look()
    async with listening.router.database.read() as connection:
        hours = await sources.hourly(connection, NOON - timedelta(days=1))
    assert sum(hours["zendesk"].values()) == 1


async def test_deliveries_of_long_ago_are_forgotten_and_even_then_change_nothing(listening: Listening) -> None:
    router = listening.router
    await router.account()
    long_ago = router.answer(2)
    await router.hears(long_ago)
    router.clock.advance(timedelta(days=101))
    recent = router.answer(1, record_id="r2")
    await router.hears(recent)
    await listening.watch.look()
    async with router.database.read() as connection:
        known = (await connection.execute(select(tables.deliveries.c.id))).scalars().all()
    assert known == [from_message(recent).id]
    before = await router.all_cases()
    await router.hears(long_ago)
    assert await router.all_cases() == before


async def test_the_api_and_the_console_show_every_source(listening: Listening) -> None:
    await listening.hears(rejected={"signature": 9}, api={"needs_credentials": 2})
    await listening.watch.look()
    doors = Doors(listening.router)
    async with doors.client() as http:
        (one,) = (await http.get("/v1/sources")).json()["items"]
        assert (one["source"], one["state"], one["rejected"]) == ("zendesk", "rejecting", {"signature": 9})
        assert (await http.get("/v1/sources", headers={"authorization": "Bearer wrong"})).status_code == 401
    async with doors.client(token=None) as person:
        code = httpx.URL(doors.sign_in_path()).params["code"]
        await person.post("/signin", data={"code": code, "email": OPS})
        page = (await person.get("/sources")).text
    assert "zendesk: rejecting" in page
    assert "2 need credentials" in page


def test_a_notice_is_short_enough_for_every_channel() -> None:
    verdict = Verdict(SourceState.SILENT, "A sentence that goes on for a while, as these do. " * 15)
    message = notice("zendesk", verdict)
    assert all(len(str(line[0])) <= 350 for line in message.lines)
