"""The case doors over HTTP: from the list to the closed case, with clear answers to whatever cannot be."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.router.api import cursors
from services.router.domain import commands
from shared.events.catalog import AccountUpdated
from shared.events.envelope import Message, from_message
from tests.support.domain import ANA, LEA
from tests.support.router import NOON, RouterBench
from tests.support.router_doors import Doors

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOUCH = {
    "actor": ANA,
    "channel": "call",
    "acknowledgement": "You lost a morning to the export",
    "next_step": "A fixed export",
    "next_step_due": "2026-11-20",
}


@pytest.fixture
def doors(router: RouterBench) -> Doors:
    return Doors(router)


@pytest.fixture
async def http(doors: Doors) -> AsyncIterator[httpx.AsyncClient]:
    async with doors.client() as client:
        yield client


async def get(http: httpx.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await http.get(path, params=params or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_case_is_touched_resolved_and_closed_over_http(
    router: RouterBench, doors: Doors, http: httpx.AsyncClient
) -> None:
    await router.low(2, comment="The export keeps failing")
    (case,) = (await get(http, "/v1/cases"))["items"]
    assert (case["status"], case["owner"], case["account_id"]) == ("open", ANA, "acme")
    assert case["touch_due_at"] == "2026-11-03T12:00:00Z"
    assert case["responses"][0]["comment"] == "The export keeps failing"
    path = f"/v1/cases/{case['id']}"

    router.clock.advance(HOUR)
    acknowledged = (await http.post(f"{path}/acknowledge", json={"actor": ANA, "version": case["version"]})).json()
    assert (acknowledged["status"], acknowledged["version"]) == ("acknowledged", 2)
    touched = (await http.post(f"{path}/touch", json={**TOUCH, "version": 2})).json()
    assert (touched["status"], touched["touched_at"]) == ("touched", "2026-11-02T13:00:00Z")
    assert touched["close_out_due_at"] == "2026-11-09T13:00:00Z"
    done = {"actor": ANA, "outcome": "fixed", "what_was_done": "Export rewritten"}
    assert (await http.post(f"{path}/resolve", json=done)).json()["status"] == "resolved"
    closed = (await http.post(f"{path}/close", json={"actor": ANA})).json()
    assert (closed["status"], closed["message"]) == ("closed", "Closed.")
    assert doors.woken == 4

    journal = (await get(http, f"{path}/journal"))["items"]
    told = [entry["type"] for entry in journal]
    assert told == ["opened", "acknowledged", "touched", "resolved", "closed", "touch_confirmed"]
    assert [entry["prev_hash"] for entry in journal[1:]] == [entry["hash"] for entry in journal[:-1]]
    assert journal[2]["data"]["next_step"] == "A fixed export"
    assert set(journal[0]) == {"seq", "at", "actor", "type", "data", "prev_hash", "hash"}


async def test_every_door_of_a_case_changes_it(router: RouterBench, http: httpx.AsyncClient) -> None:
    path = f"/v1/cases/{(await router.low()).case.id}"

    async def does(door: str, **body: Any) -> dict[str, Any]:
        answer = await http.post(f"{path}/{door}", json={"actor": ANA, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    await does("touch", **TOUCH)
    assert (await does("correct_touch", reason="Wrong customer"))["touched_at"] is None
    assert (await does("snooze", until="2026-11-04T12:00:00+01:00", reason="Away"))["snoozed_until"] is not None
    assert (await does("reassign", new_owner=" Lea@US.example ", reason="Leave"))["owner"] == LEA
    assert (await does("note", note="Nobody picked up"))["status"] == "open"
    await does("touch", **{**TOUCH, "next_step": "Another"})
    assert (await does("still_open", reason="Fails again"))["reopened"] == 1
    assert (await does("dismiss", reason="Disputed"))["status"] == "dismissed"
    assert (await does("reopen", reason="Upheld after all"))["reopened"] == 2


async def test_the_second_of_two_is_told_who_was_first(router: RouterBench, http: httpx.AsyncClient) -> None:
    path = f"/v1/cases/{(await router.low()).case.id}"
    await http.post(f"{path}/acknowledge", json={"actor": ANA})
    late = await http.post(f"{path}/acknowledge", json={"actor": LEA})
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"
    assert ANA in late.json()["detail"]


@pytest.mark.parametrize("when", [{"touched_at": "2026-11-02T12:00:00Z"}, {}], ids=["at a time", "just now"])
async def test_g8_the_same_touch_sent_twice_is_one_touch(
    router: RouterBench, http: httpx.AsyncClient, when: dict[str, str]
) -> None:
    case = (await router.low()).case
    body = {**TOUCH, **when, "version": 1}
    first = (await http.post(f"/v1/cases/{case.id}/touch", json=body)).json()
    router.clock.advance(timedelta(minutes=1))
    second = (await http.post(f"/v1/cases/{case.id}/touch", json=body)).json()
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert [entry.type for entry in await router.journal(case.id)].count("touched") == 1


WRONG_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("touch", {"channel": "x" * 61}, "channel"),
    ("touch", {"acknowledgement": "  "}, "acknowledgement"),
    ("touch", {"next_step": None}, "next_step"),
    ("touch", {"next_step_due": "soon"}, "next_step_due"),
    ("touch", {"next_step_due": "2026-10-01"}, "next_step_due"),
    ("touch", {"touched_at": "2026-11-02T12:00:00"}, "touched_at"),
    ("touch", {"touched_at": "2027-01-01T12:00:00Z"}, "touched_at"),
    ("touch", {"acknowledgement": "x" * 20_001}, "acknowledgement"),
    ("touch", {"acknowledgement": "a\0b"}, "acknowledgement"),
    ("touch", {"actor": "  "}, "actor"),
    ("touch", {"version": 0}, "version"),
    ("reassign", {"new_owner": "ana", "reason": "x"}, "new_owner"),
    ("snooze", {"until": "2027-11-02T12:00:00Z", "reason": "x"}, "until"),
    ("note", {}, "note"),
]
WRONG_FILTERS = [
    "limit=0",
    "limit=201",
    "limit=x",
    "cursor=x",
    "cursor=%00",
    "status=lost",
    "severity=awful",
    "overdue=maybe",
]
WRONG_RANGES = [
    "period=year",
    "group=mood",
    "from=2026-02-01&to=2026-01-01",
    "from=1990-01-01&period=day",
    "to=9999-12-31",
    "from=x",
]
PROBLEM = "application/problem+json"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/v1/cases/L-A/note", "/v1/cases", "/v1/covers", "/signin", "/cases"])
@pytest.mark.parametrize("told", [True, False], ids=["length told", "in pieces"])
async def test_a_body_nobody_could_need_is_refused_before_it_is_kept(doors: Doors, path: str, told: bool) -> None:
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(64):
            taken += 1
            yield b"x" * 1024 * 1024

    headers = {"content-type": "application/x-www-form-urlencoded" if "v1" not in path else "application/json"}
    if told:
        headers["content-length"] = str(64 * 1024 * 1024)
    async with doors.client(token=None) as stranger:
        answer = await stranger.post(path, content=pieces(), headers=headers)
    assert taken <= 5
    if path == "/cases" and not told:
        assert answer.status_code == 303, "a page without a session leads to the sign-in and reads nothing"
    else:
        assert answer.status_code in (413, 400), "a form's own limit may come first"


async def test_every_422_names_what_is_wrong_in_the_same_form(
    router: RouterBench, http: httpx.AsyncClient, doors: Doors
) -> None:
    case = (await router.low()).case
    refused = {
        "query.cursor": await http.get("/v1/cases?cursor=W10"),
        "query.metric": await http.get("/v1/sla/cases?metric=happiness"),
        "query.from": await http.get("/v1/sla?from=2026-02-01&to=2026-01-01"),
        "query.limit": await http.get("/v1/covers?limit=0"),
        "body.actor": await http.post(f"/v1/cases/{case.id}/note", json={"note": "x"}),
        "body.until": await http.post(
            f"/v1/cases/{case.id}/snooze", json={"actor": ANA, "reason": "x", "until": "2029-01-01T00:00:00Z"}
        ),
        "body.subject": await http.post("/v1/cases", json={"account_id": "acme", "subject": " ", "actor": ANA}),
        "body": await http.post(f"/v1/cases/{case.id}/note", content=b'{"note": "x"}', headers=FORM),
        "body.timezone": await http.post("/v1/covers", json={"person": ANA, "actor": ANA, "timezone": "Mars/Base"}),
    }
    for at, answer in refused.items():
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), at
        problem = answer.json()
        (error,) = problem["errors"]
        assert error["at"] == at
        assert error["problem"] in problem["detail"], "who reads the detail alone knows it too"
    assert "content-type: application/json" in refused["body"].text, "curl sends a form unless told otherwise"


async def answers(http: httpx.AsyncClient, paths: Sequence[str]) -> dict[str, tuple[int, str]]:
    """What each path answers: status and content type."""
    found = {path: await http.get(path) for path in paths}
    return {path: (answer.status_code, answer.headers["content-type"]) for path, answer in found.items()}


async def test_a_wrong_field_is_named(router: RouterBench, http: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    for door, change, field in WRONG_FIELDS:
        body = {**(TOUCH if door == "touch" else {}), "actor": ANA, **change}
        answer = await http.post(f"/v1/cases/{case.id}/{door}", json=body)
        assert answer.status_code == 422, (door, change)
        assert [error["at"] for error in answer.json()["errors"]] == [f"body.{field}"], (door, change)
    assert (await router.case(case.id)).case.version == 1


async def test_what_is_not_there_is_a_404(http: httpx.AsyncClient) -> None:
    paths = ["/v1/cases/L-NONE", "/v1/cases/L-NONE/journal", "/v1/accounts/none", "/v1/nothing"]
    assert await answers(http, paths) == dict.fromkeys(paths, (404, PROBLEM))


async def test_a_wrong_filter_is_a_422(http: httpx.AsyncClient) -> None:
    paths = [f"/v1/cases?{query}" for query in WRONG_FILTERS]
    assert await answers(http, paths) == dict.fromkeys(paths, (422, PROBLEM))


async def test_an_actor_is_needed_and_a_token_too(router: RouterBench, doors: Doors, http: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    nameless = await http.post(f"/v1/cases/{case.id}/note", json={"note": "x"})
    assert (nameless.status_code, "actor" in nameless.json()["detail"]) == (422, True)
    async with doors.client(token=None) as stranger:
        for path in ("/v1/cases", f"/v1/cases/{case.id}", "/v1/sla", "/v1/sla/cases.csv", "/v1/accounts/unmatched"):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await stranger.delete("/v1/accounts/acme")).status_code == 401
        assert (await stranger.post(f"/v1/cases/{case.id}/dismiss", json={"reason": "x"})).status_code == 401


async def test_pages_lead_through_every_case_once_newest_first(router: RouterBench, http: httpx.AsyncClient) -> None:
    for number in range(7):
        if number % 3:
            router.clock.advance(HOUR)
        await router.hears(router.answer(1, record_id=f"r{number}", requester_email=f"x@c{number}.example"))
    seen, cursor = [], None
    while True:
        page = await get(http, "/v1/cases", limit=3, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) <= 3
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    places = [(case["opened_at"], case["id"]) for case in seen]
    assert len(set(places)) == 7
    assert places == sorted(places, reverse=True)


async def test_who_pages_while_cases_change_misses_none_and_sees_none_twice(
    router: RouterBench, http: httpx.AsyncClient
) -> None:
    async def opens(name: str) -> None:
        await router.hears(router.answer(1, record_id=name, requester_email=f"x@{name}.example"))

    for number in range(9):
        await opens(f"c{number}")
        router.clock.advance(timedelta(minutes=number % 2))
    before = [view.case for view in await router.all_cases()]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await get(http, "/v1/cases", limit=2, status="open", cursor=cursor)
        seen += [case["id"] for case in page["items"]]
        cursor = page["next_cursor"]
        await opens(f"n{len(seen)}")
        if len(seen) == 2:
            gone = before[-1]
            await router.does(gone.id, _touch(router))
    assert seen == [case.id for case in before if case.id != gone.id]


async def test_filters_choose(router: RouterBench, http: httpx.AsyncClient) -> None:
    await router.low(record_id="r1")
    await router.hears(router.answer(1, record_id="r2", requester_email="x@stray.example"))
    router.clock.advance(25 * HOUR)
    await router.hears(router.answer(1, record_id="r3", requester_email="x@other.example"))

    async def owners(**filters: Any) -> list[str]:
        return [case["owner"] for case in (await get(http, "/v1/cases", **filters))["items"]]

    assert await owners(account_id="acme") == [ANA]
    assert await owners(owner="ANA@us.example") == [ANA]
    assert len(await owners(overdue="true")) == 2
    assert len(await owners(overdue="false")) == 1
    assert await owners(status="closed") == []
    assert len(await owners(severity="medium")) == 2
    assert await owners(unowned="false") == [ANA]
    assert (
        len((await get(http, "/v1/sla/cases", metric="", value="", cursor="", **{"from": "", "to": ""}))["items"]) == 3
    )
    assert (len(await owners(ended="false")), await owners(ended="true")) == (3, [])
    assert len(await owners(status="", owner="", account_id="", severity="", overdue="", cursor="")) == 3


async def test_a_customer_phoned(router: RouterBench, doors: Doors, http: httpx.AsyncClient) -> None:
    body = {"account_id": "acme", "subject": "She is angry about the invoice", "actor": LEA}
    opened = await http.post("/v1/cases", json=body)
    assert (opened.status_code, opened.json()["owner"]) == (201, ANA)
    assert doors.woken == 1
    assert (await router.journal(opened.json()["id"]))[0].actor == LEA
    assert (await http.post("/v1/cases", json={**body, "account_id": "none"})).status_code == 404
    assert (await http.post("/v1/cases", json={**body, "subject": " "})).json()["errors"][0]["at"] == "body.subject"
    (item,) = (await get(http, "/v1/sla"))["items"]
    assert (item["flagged"], item["touch_pending"]) == (0, 1)


async def clocks(router: RouterBench) -> int:
    return sum(len(view.case.clocks) for view in await router.all_cases())


async def test_g8_a_case_opened_by_hand_twice_is_opened_once(router: RouterBench, http: httpx.AsyncClient) -> None:
    body = {"account_id": "acme", "subject": "She is angry about the invoice", "actor": LEA}
    answers = await asyncio.gather(*(http.post("/v1/cases", json=body) for _ in range(3)))
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {(201, answers[0].json()["id"])}
    assert await clocks(router) == 1
    for another in ({**body, "actor": ANA}, {**body, "subject": "She called again: now it is the export"}):
        await http.post("/v1/cases", json=another)
    assert await clocks(router) == 3
    router.clock.advance(HOUR)
    await http.post("/v1/cases", json=body)
    assert await clocks(router) == 4


async def test_g8_a_key_tells_a_repetition_however_late(router: RouterBench, http: httpx.AsyncClient) -> None:
    body = {"account_id": "acme", "subject": "The customer phoned", "actor": LEA}
    call = {"headers": {"Idempotency-Key": "call-4711"}, "json": body}
    first = (await http.post("/v1/cases", **call)).json()["id"]
    gone = {"actor": LEA, "outcome": "customer_left", "what_was_done": "They have left"}
    assert (await http.post(f"/v1/cases/{first}/close", json=gone)).status_code == 200
    router.clock.advance(DAY)
    again = (await http.post("/v1/cases", **call)).json()
    assert (again["id"], again["status"], await clocks(router)) == (first, "closed", 1)
    await http.post("/v1/cases", headers={"Idempotency-Key": "call-4712"}, json=body)
    assert await clocks(router) == 2


async def test_accounts_page_by_page_one_and_the_end_of_one(
    router: RouterBench, doors: Doors, http: httpx.AsyncClient
) -> None:
    await router.account("bolt", name="Bolt", domains=["bolt.example"], aliases={"zendesk": ["9", "7"]})
    first = await get(http, "/v1/accounts", limit=1)
    second = await get(http, "/v1/accounts", limit=1, cursor=first["next_cursor"])
    assert [page["items"][0]["id"] for page in (first, second)] == ["acme", "bolt"]
    assert second["next_cursor"] is None
    bolt = await get(http, "/v1/accounts/bolt")
    assert (bolt["aliases"], bolt["domains"]) == ({"zendesk": ["7", "9"]}, ["bolt.example"])

    router.clock.advance(HOUR)
    assert (await http.delete("/v1/accounts/bolt")).status_code == 202
    (record,) = doors.bus.published
    message = Message(record.topic, 0, 0, record.key, record.value, record.headers, router.clock.now())
    event = from_message(message)
    assert (event.topic, event.key) == ("accounts.updated", "bolt")
    assert event.type == AccountUpdated.TYPE
    await router.directory.handle([message])
    assert (await http.get("/v1/accounts/bolt")).status_code == 404


async def test_domains_without_an_account_are_listed_until_one_claims_them(
    router: RouterBench, http: httpx.AsyncClient
) -> None:
    await router.hears(
        router.answer(1, record_id="r1", requester_email="a@stray.example"),
        router.answer(5, record_id="r2", requester_email="b@stray.example"),
        router.answer(1, record_id="r3", requester_email="c@gmail.com"),
    )
    page = await get(http, "/v1/accounts/unmatched")
    assert [(item["domain"], item["responses"], item["flagged"]) for item in page["items"]] == [
        ("gmail.com", 1, 1),
        ("stray.example", 2, 1),
    ]
    router.clock.advance(HOUR)
    await router.account("stray", domains=["stray.example"])
    assert [item["domain"] for item in (await get(http, "/v1/accounts/unmatched"))["items"]] == ["gmail.com"]


async def test_each_figure_lists_its_cases(router: RouterBench, http: httpx.AsyncClient) -> None:
    await router.account("bolt", name="Bolt", domains=["bolt.example"], csm=LEA, tier="gold")
    in_time = await router.low(record_id="r1")
    await router.does(in_time.case.id, _touch(router))
    await router.low(record_id="r2", requester_email="x@bolt.example")
    router.clock.advance(8 * DAY)
    await router.low(record_id="r3", requester_email="x@bolt.example")

    page = await get(http, "/v1/sla", **{"from": "2026-11-01", "to": "2026-11-30"})
    assert page["target"] == 0.95
    newest, older = page["items"]
    assert (newest["period"], older["period"]) == ("2026-11-09", "2026-11-02")
    assert (older["flagged"], older["touch_due"], older["touched_in_time"], older["touched_in_time_pct"]) == (
        2,
        2,
        1,
        50,
    )
    assert (newest["touch_due"], newest["touch_pending"]) == (0, 1)
    for item in page["items"]:
        for metric, link in item["cases"].items():
            behind = await get(http, link)
            if isinstance(item[metric], int) and not metric.endswith("_pct"):
                assert len(behind["items"]) == item[metric], (metric, link)
    assert (await get(http, older["cases"]["touched_in_time"]))["items"][0]["case_id"] == in_time.case.id

    by_owner = await get(http, "/v1/sla", group="owner", period="month")
    assert [(item["group"], item["flagged"]) for item in by_owner["items"]] == [(ANA, 1), (LEA, 2)]
    by_tier = await get(http, "/v1/sla", group="tier", period="month")
    assert [(item["group"], item["flagged"]) for item in by_tier["items"]] == [("(none)", 1), ("gold", 2)]
    by_account = await get(http, "/v1/sla", group="account", period="month")
    assert [(item["group"], item["label"]) for item in by_account["items"]] == [("acme", "Acme Ltd"), ("bolt", "Bolt")]


def _touch(router: RouterBench) -> commands.LogTouch:
    return commands.LogTouch(
        actor=ANA,
        channel="call",
        touched_at=router.clock.now(),
        acknowledgement="Yes",
        next_step="Fix",
        next_step_due=(NOON + 9 * DAY).date(),
    )


async def test_cases_as_csv_open_as_text_in_a_spreadsheet(router: RouterBench, http: httpx.AsyncClient) -> None:
    await router.account("evil", name='=HYPERLINK("http://x.example")', domains=["evil.example"])
    await router.low(1, requester_email="x@evil.example", comment='@SUM(1)\n"quoted", 日本語')
    answer = await http.get("/v1/sla/cases.csv?bom=true")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert row["account_name"] == '\'=HYPERLINK("http://x.example")'
    assert row["comment"] == '\'@SUM(1)\n"quoted", 日本語'
    assert (row["metric"], row["score"], row["touch_due_at"]) == ("csat", "1.0", "2026-11-03T12:00:00Z")
    figures = await http.get("/v1/sla.csv")
    (line,) = csv.DictReader(io.StringIO(figures.text, newline=""))
    assert (line["period"], line["flagged"], line["touched_in_time_pct"]) == ("2026-11-02", "1", "")


@pytest.mark.parametrize(
    "parts",
    [("9999-12-31", "x"), ("0001-01-01", "x"), ("2026-11-02", "\N{PILE OF POO}"), ("2026-13-02", "x"), ("", "x")],
)
@pytest.mark.parametrize("period", ["day", "week", "month"])
async def test_a_cursor_made_by_hand_is_never_a_crash(
    http: httpx.AsyncClient, parts: tuple[str, str], period: str
) -> None:
    answer = await http.get("/v1/sla", params={"cursor": cursors.encode(*parts), "period": period})
    assert answer.status_code in (200, 422)
    assert answer.headers["content-type"] in ("application/json", PROBLEM)


async def test_a_range_that_cannot_be_is_a_422(http: httpx.AsyncClient) -> None:
    doors = ("/v1/sla", "/v1/sla.csv", "/v1/sla/cases", "/v1/sla/cases.csv")
    paths = [f"{door}?{query}" for door in doors for query in WRONG_RANGES] + ["/v1/sla/cases?metric=happiness"]
    assert await answers(http, paths) == dict.fromkeys(paths, (422, PROBLEM))


async def test_the_audit_door_says_what_holds(router: RouterBench, http: httpx.AsyncClient) -> None:
    case = (await router.low()).case
    assert (await get(http, "/v1/audit/invariants"))["holds"] is True
    router.clock.advance(6 * HOUR)
    audit = await get(http, "/v1/audit/invariants", everything="true")
    assert {item["name"]: item["broken_by"] for item in audit["items"] if not item["holds"]} == {
        "alert_is_sent": [case.id]
    }
