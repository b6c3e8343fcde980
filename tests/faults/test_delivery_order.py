"""Webhooks that arrive twice, late and in any order lead to the same rows and the same cases (G2)."""

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.bus.base import Topic
from shared.events.catalog import ACCOUNTS_UPDATED, FEEDBACK_RECEIVED, FEEDBACK_SCORED, TICKETS_CHANGED
from tests.support.blocking import wait_for
from tests.support.ingest import ADMIN
from tests.support.pipeline import Delivery, Pipeline, running_pipeline
from tests.support.router import NOON
from tests.support.signing import WHSEC, sign

EXAMPLES = range(12)
FACTS = ("record_id", "normalised_score", "flagged", "comment", "account_id")
TOPICS = [topic.name for topic in (ACCOUNTS_UPDATED, TICKETS_CHANGED, FEEDBACK_RECEIVED, FEEDBACK_SCORED)]


def account(name: str, csm: str) -> Delivery:
    record = {"name": name.title(), "domains": [f"{name}.example"], "arr": 250_000, "csm": csm}
    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN}"}
    return Delivery(f"/v1/accounts/{name}", json.dumps(record).encode(), headers, "PUT")


def answer(record: str, score: int, who: str, minute: int, comment: str = "") -> Delivery:
    """What the vendor says about an answer at a minute of its own clock."""
    data = {"id": record, "metric": "csat", "score": score, "comment": comment, "respondent": {"email": who}}
    return standard("survey.response.created", f"{record}@{minute}", minute, data)


def standard(kind: str, delivery_id: str, minute: int, data: dict[str, Any]) -> Delivery:
    at = (NOON - timedelta(hours=1) + timedelta(minutes=minute)).isoformat()
    body = json.dumps({"type": kind, "timestamp": at, "data": {**data, "occurred_at": at}}).encode()
    return Delivery("/v1/webhooks/standard", body, sign("standard", body, WHSEC, NOON, delivery_id=delivery_id))


ACCOUNTS = [account("nordwind", "ana@us.example"), account("suedwind", "ben@us.example")]
ANSWERS = [
    answer("a", 2, "mia@nordwind.example", 1),
    answer("a", 2, "mia@nordwind.example", 2, "Nobody listens"),
    answer("a", 1, "mia@nordwind.example", 5, "Nobody listens at all"),
    answer("b", 3, "jan@nordwind.example", 3),
    answer("c", 5, "eva@suedwind.example", 1),
    answer("c", 2, "eva@suedwind.example", 4, "I take my praise back"),
    answer("d", 4, "eva@suedwind.example", 2),
    answer("e", 1, "tom@nordwind.example", 6),
]


async def end_state(line: Pipeline) -> dict[str, Any]:
    """What must not depend on the order of arrival."""
    rows = await line.responses()
    cases = await line.router.all_cases()
    return {
        "responses": sorted(tuple(row[name] for name in FACTS) for row in rows),
        "cases": sorted(
            (view.case.account_id or "", view.case.status.value, view.case.severity.value, view.case.owner,
             tuple(sorted(response.requester_email or "" for response in view.responses)))
            for view in cases if not view.case.merged_into
        ),
    }  # fmt: skip


def shuffled(deliveries: list[Delivery], chance: random.Random) -> list[Delivery]:
    """In any order, a third of them twice."""
    chosen = [*deliveries, *chance.sample(deliveries, len(deliveries) // 3)]
    chance.shuffle(chosen)
    return chosen


async def arrive(line: Pipeline, deliveries: list[Delivery], chance: random.Random) -> None:
    """Each reader takes what is there whenever it gets round to it."""
    for delivery in deliveries:
        await line.deliver(delivery)
        for topic in TOPICS:
            if chance.random() < 0.3:
                await line.hand_on(topic)
    await line.hand_on_all()


async def told_to(line: Pipeline) -> list[tuple[str, str]]:
    return sorted((kind, who) for kind, who in await line.router.told() if kind in ("card", "joined"))


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end state when everything arrives once and in order."""
    return wait_for(_in_order(tmp_path_factory.mktemp("in-order")))


async def _in_order(home: Path) -> dict[str, Any]:
    async with running_pipeline(f"sqlite+aiosqlite:///{home}/closeloop.db") as line:
        for delivery in [*ACCOUNTS, *ANSWERS]:
            await line.deliver(delivery)
            await line.hand_on_all()
        return {**await end_state(line), "told": await told_to(line)}


@pytest.mark.parametrize("seed", EXAMPLES)
async def test_g2_answers_in_any_order_and_twice_lead_to_the_same_cases(
    seed: int, in_order: dict[str, Any], tmp_path: Path
) -> None:
    chance = random.Random(seed)
    async with running_pipeline(f"sqlite+aiosqlite:///{tmp_path}/shuffled.db") as line:
        for delivery in ACCOUNTS:
            await line.deliver(delivery)
        await line.hand_on(ACCOUNTS_UPDATED.name)
        await arrive(line, shuffled(ANSWERS, chance), chance)
        assert {**await end_state(line), "told": await told_to(line)} == in_order


@pytest.mark.parametrize("seed", EXAMPLES)
async def test_g2_even_the_account_may_come_at_any_time(seed: int, in_order: dict[str, Any], tmp_path: Path) -> None:
    chance = random.Random(seed)
    async with running_pipeline(f"sqlite+aiosqlite:///{tmp_path}/shuffled.db") as line:
        await arrive(line, shuffled([*ACCOUNTS, *ANSWERS], chance), chance)
        found = await end_state(line)
        assert found == {name: in_order[name] for name in found}


RATED_GOOD = standard(
    "survey.response.created",
    "praise",
    10,
    {
        "id": "praise",
        "metric": "csat",
        "score": 5,
        "respondent": {"email": "eva@suedwind.example"},
        "ticket": {"id": "T-9", "status": "solved"},
    },
)
SOLVED = standard("ticket.updated", "solved", 5, {"ticket": {"id": "T-9", "status": "solved"}})
REOPENED = standard("ticket.updated", "reopened", 20, {"ticket": {"id": "T-9", "status": "open"}})


@pytest.mark.parametrize("first", [FEEDBACK_SCORED, TICKETS_CHANGED], ids=lambda topic: topic.name)
async def test_g2_a_ticket_reopened_after_its_rating_is_a_case_whichever_is_read_first(
    first: Topic, tmp_path: Path
) -> None:
    """The two travel on different topics: after an outage of scoring the reopening is read long before the rating."""
    async with running_pipeline(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db") as line:
        for delivery in [*ACCOUNTS, SOLVED]:
            await line.deliver(delivery)
            await line.hand_on_all()
        for delivery in (RATED_GOOD, REOPENED):
            await line.deliver(delivery)
        await line.hand_on(FEEDBACK_RECEIVED.name)
        await line.hand_on(first.name)
        await line.hand_on_all()
        (view,) = await line.router.all_cases()
        assert (view.case.account_id, view.case.owner) == ("suedwind", "ben@us.example")
        (response,) = view.responses
        assert response.reasons == ("The ticket was reopened after the customer rated it.",)
