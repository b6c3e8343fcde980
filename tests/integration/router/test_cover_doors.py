"""Absences over the API: entered, listed, taken back; what cannot be right is a clear 422."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.router.store import people
from tests.support.router import RouterBench
from tests.support.router_doors import Doors

ANA, EVA, LEA = "ana@us.example", "eva@us.example", "lea@us.example"
AWAY = {"person": ANA, "cover": EVA, "ends_at": "2026-11-07T00:00:00+01:00", "timezone": "Europe/Berlin", "actor": LEA}

WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"cover": ANA}, "cover"),
    ({"cover": "Eva"}, "cover"),
    ({"person": ""}, "person"),
    ({"ends_at": "2026-11-01T00:00:00Z"}, "ends_at"),
    ({"ends_at": "Friday"}, "ends_at"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"actor": None}, "actor"),
]


@pytest.fixture
async def doors(database_url: str) -> AsyncIterator[Doors]:
    bench = await RouterBench.create(database_url)
    await bench.account()
    yield Doors(bench)
    await bench.close()


async def test_an_absence_moves_the_open_cases_and_its_end_gives_them_back(doors: Doors) -> None:
    case_id = (await doors.bench.low(2)).case.id
    async with doors.client() as http:
        entered = await http.post("/v1/covers", json=AWAY)
        assert entered.status_code == 201
        body = entered.json()
        assert (body["moved"], body["repeated"], body["source"], body["created_by"]) == (1, False, "api", LEA)
        assert body["message"] == "eva@us.example covers for ana@us.example until Fri 6 Nov"
        case = (await http.get(f"/v1/cases/{case_id}")).json()
        assert (case["owner"], case["covers_for"]) == (EVA, ANA)
        assert doors.woken

        listed = (await http.get("/v1/covers", params={"person": ANA})).json()["items"]
        assert [item["id"] for item in listed] == [body["id"]]
        assert (await http.get("/v1/covers", params={"person": EVA})).json()["items"] == []

        ended = await http.delete(f"/v1/covers/{body['id']}")
        assert ended.json() == {"id": body["id"], "moved": 1}
        assert (await http.get(f"/v1/cases/{case_id}")).json()["owner"] == ANA
        assert (await http.delete(f"/v1/covers/{body['id']}")).json()["moved"] == 0
        assert (await http.get("/v1/covers")).json()["items"] == []
        assert [item["id"] for item in (await http.get("/v1/covers?past=true")).json()["items"]] == [body["id"]]


@pytest.mark.parametrize("past", [False, True])
async def test_pages_lead_through_every_absence_once(doors: Doors, past: bool) -> None:
    async with doors.client() as http:
        for number in range(5):
            day = f"2026-11-{9 + number // 2:02}T00:00:00Z"
            body = {**AWAY, "person": f"p{number}@us.example", "starts_at": day, "ends_at": "2026-12-01T00:00:00Z"}
            assert (await http.post("/v1/covers", json=body)).status_code == 201
        if past:
            doors.bench.clock.advance(timedelta(days=60))
        seen: list[dict[str, str]] = []
        cursor = ""
        while cursor is not None:
            page = (await http.get("/v1/covers", params={"limit": 2, "past": past, "cursor": cursor})).json()
            seen += page["items"]
            cursor = page["next_cursor"]
    places = [(item["starts_at"], item["id"]) for item in seen]
    assert (len(set(places)), places) == (5, sorted(places, reverse=past))


async def test_the_same_absence_again_is_answered_as_done(doors: Doors) -> None:
    body = {**AWAY, "starts_at": "2026-11-02T12:00:00Z"}
    async with doors.client() as http:
        first, second = (await http.post("/v1/covers", json=body)).json(), (await http.post("/v1/covers", json=body))
        assert (second.status_code, second.json()["id"], second.json()["repeated"]) == (201, first["id"], True)


async def test_what_cannot_be_right_is_a_422_that_names_the_field(doors: Doors) -> None:
    async with doors.client() as http:
        for change, field in WRONG:
            refused = await http.post("/v1/covers", json={**AWAY, **change})
            assert (refused.status_code, field in refused.text) == (422, True), change
        assert (await http.get("/v1/covers")).json()["items"] == []


async def test_a_cover_whom_slack_cannot_reach_is_refused(doors: Doors) -> None:
    async with doors.bench.database.transaction() as tx:
        gone = people.Person(EVA, "U9", None, None, "is a guest in Slack", doors.bench.clock.now())
        await people.remember(tx, gone)
    async with doors.client() as http:
        refused = await http.post("/v1/covers", json=AWAY)
        assert (refused.status_code, "eva@us.example is a guest in Slack" in refused.text) == (422, True)
        assert (await http.get("/v1/covers")).json()["items"] == []


async def test_only_the_token_or_a_session_may_enter_an_absence(doors: Doors) -> None:
    async with doors.client(token=None) as http:
        assert (await http.post("/v1/covers", json=AWAY)).status_code == 401
        assert (await http.get("/v1/covers")).status_code == 401
    async with doors.client() as http:
        assert (await http.delete("/v1/covers/no-such")).status_code == 404
