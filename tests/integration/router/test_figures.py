"""GET /v1/sla against a calculation by hand from the journals: every figure, period and group, down to its cases."""

import asyncio
import csv
import io
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.audit.metrics import METRICS
from tests.support import figures_by_hand as by_hand
from tests.support.examples import examples
from tests.support.figures_by_hand import Touch
from tests.support.life import live, slack_answers
from tests.support.router import RouterBench
from tests.support.router_doors import Doors


async def every(http: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        asked = {**params, **({"cursor": cursor} if cursor else {})}
        answer = await http.get(path, params=httpx.URL(path).params.merge(asked))
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items


async def promised(http: httpx.AsyncClient) -> list[Touch]:
    cases = await every(http, "/v1/cases", limit=7)
    return by_hand.promised({case["id"]: await every(http, f"/v1/cases/{case['id']}/journal") for case in cases})


def keys(touches: list[Touch]) -> Counter[tuple[str, datetime]]:
    return Counter((touch.case, touch.start) for touch in touches)


def listed(items: list[dict[str, Any]]) -> Counter[tuple[str, datetime]]:
    return Counter((item["case_id"], datetime.fromisoformat(item["flagged_at"])) for item in items)


async def assert_explained(router: RouterBench, period: str, group: str) -> None:
    now = router.clock.now()
    within = {
        "period": period,
        "group": group,
        "from": "2026-10-31",
        "to": (now + timedelta(days=1)).date().isoformat(),
    }
    async with Doors(router).client() as http:
        expected = by_hand.table(await promised(http), period, group)
        items = await every(http, "/v1/sla", limit=3, **within)
        assert {(item["period"], item["group"]) for item in items} == set(expected)
        assert len(items) == len(expected), "no cell is there twice"
        for item in items:
            touches = expected[item["period"], item["group"]]
            told = {metric.name: item[metric.name] for metric in METRICS}
            assert told == pytest.approx(by_hand.figures(touches, now), abs=0.006), (item["period"], item["group"])
            for metric in METRICS:
                found = await every(http, item["cases"][metric.name], limit=3)
                assert listed(found) == keys(by_hand.behind(metric.name, touches, now)), metric.name
        sheet = await rows(http, "/v1/sla.csv", within)
        assert [{name: row[name] for name in told_names()} for row in sheet] == [as_text(item) for item in items]
        assert_recounted(
            await rows(http, "/v1/sla/cases.csv", within), [t for cell in expected.values() for t in cell], now
        )


async def rows(http: httpx.AsyncClient, path: str, within: dict[str, str]) -> list[dict[str, str]]:
    answer = await http.get(path, params=within)
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def assert_recounted(sheet: list[dict[str, str]], touches: list[Touch], now: datetime) -> None:
    """Whoever has only the spreadsheet of cases counts the same."""
    assert Counter((row["case_id"], datetime.fromisoformat(row["flagged_at"])) for row in sheet) == keys(touches)
    told = by_hand.figures(touches, now)
    for column, part, whole in (
        ("touched_in_time", "touched_in_time", "touch_due"),
        ("closed_in_time", "closed_in_time", "close_out_due"),
    ):
        values = [row[column] for row in sheet]
        assert (values.count("yes"), len(values) - values.count("")) == (told[part], told[whole]), column


def told_names() -> list[str]:
    return ["period", "group", *(metric.name for metric in METRICS)]


def as_text(item: dict[str, Any]) -> dict[str, str]:
    return {name: "" if item[name] is None else str(item[name]) for name in told_names()}


@settings(max_examples=examples(8))
@given(
    st.integers(0, 10**9),
    st.integers(5, 40),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["none", *by_hand.GROUPS]),
)
def test_g10_every_figure_is_what_the_journals_say_by_hand(seed: int, steps: int, period: str, group: str) -> None:
    async def story() -> None:
        with tempfile.TemporaryDirectory() as home:
            router = await RouterBench.create(f"sqlite+aiosqlite:///{home}/closeloop.db")
            try:
                await live(router, seed, steps)
                await assert_explained(router, period, group)
            finally:
                await router.close()

    asyncio.run(story())


@pytest.mark.parametrize("group", ["none", "owner", "account"])
async def test_g10_every_figure_by_hand_on_every_database(database_url: str, group: str) -> None:
    router = await RouterBench.create(database_url)
    await live(router, 7, 60)
    await assert_explained(router, "week", group)
    await router.close()


async def test_two_answers_of_one_moment_have_an_alert_each(database_url: str) -> None:
    router = await RouterBench.create(database_url)
    await router.account()
    await router.hears(router.answer(1, record_id="r1"), router.answer(2, record_id="r2"))
    await slack_answers(router, kind="card")
    router.clock.advance(timedelta(hours=2))
    async with Doors(router).client() as http:
        (item,) = await every(http, "/v1/sla")
    assert (item["flagged"], item["alert_p50_s"], item["alert_p99_s"]) == (2, 1, pytest.approx(7200, abs=0.001))
    await router.close()
