"""Account records through the door: one, many, all or nothing, and documented."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from services.ingest.accounts import MAX_BATCH
from shared.web import BODY_LIMIT
from tests.support.ingest import ADMIN, Ingest, running_ingest

TOPIC = "accounts.updated"
ADMIN_HEADERS = {"authorization": f"Bearer {ADMIN}"}


async def put(ingest: Ingest, account_id: str, record: Any) -> Any:
    return await ingest.http.put(f"/v1/accounts/{account_id}", json=record, headers=ADMIN_HEADERS)


async def post(ingest: Ingest, body: Any) -> Any:
    return await ingest.http.post("/v1/accounts", json=body, headers=ADMIN_HEADERS)


async def test_a_record_goes_onto_the_log_whole_and_keyed_by_its_id() -> None:
    async with running_ingest() as ingest:
        record = {"name": "Nordwind", "domains": ["Nordwind.example"], "arr": 125000, "csm": "Jo@Acme.example"}
        answer = await put(ingest, "crm-00417", record)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["crm-00417"]})
        (event,) = ingest.log.of(TOPIC)
        assert event.key == b"crm-00417"
        data = json.loads(event.value or b"")
        assert (data["domains"], data["csm"], data["arr"]) == (["nordwind.example"], "jo@acme.example", 125000)


async def test_a_later_record_is_another_event() -> None:
    async with running_ingest() as ingest:
        await put(ingest, "a", {"name": "A"})
        ingest.clock.advance(ingest.clock.now() - ingest.clock.now().replace(hour=11))
        await put(ingest, "a", {"name": "A"})
        first, second = (dict(event.headers)["ce_id"] for event in ingest.log.of(TOPIC))
        assert first != second


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"items": items}], ids=["list", "items"])
async def test_many_records_are_taken_together(wrap: Any) -> None:
    async with running_ingest() as ingest:
        answer = await post(ingest, wrap([{"id": "a"}, {"id": 7, "name": "Seven"}]))
        assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "ids": ["a", "7"]})
        assert [event.key for event in ingest.log.of(TOPIC)] == [b"a", b"7"]


async def test_one_wrong_record_stops_the_batch_and_every_problem_is_named() -> None:
    async with running_ingest() as ingest:
        items = [{"id": "a"}, {"id": "b", "csm": "nobody"}, {"name": "no id"}, {"id": "d", "owner": "x"}]
        answer = await post(ingest, items)
        assert answer.status_code == 422
        assert [error["at"] for error in answer.json()["errors"]] == [
            "body.items.1.csm",
            "body.items.2.id",
            "body.items.3.owner",
        ]
        assert ingest.log.records == []


async def test_an_account_twice_in_a_batch_is_refused() -> None:
    async with running_ingest() as ingest:
        answer = await post(ingest, [{"id": "a"}, {"id": " a "}])
        assert answer.json()["errors"] == [{"at": "body.items.1.id", "problem": "is in the batch twice"}]


async def test_an_id_in_the_record_must_be_that_of_the_path() -> None:
    async with running_ingest() as ingest:
        assert (await put(ingest, "a", {"id": "a"})).status_code == 202
        assert (await put(ingest, "a", {"id": "b"})).status_code == 422


@pytest.mark.parametrize("account_id", ["eu/7", "/", "unmatched"])
async def test_an_id_that_no_address_can_have_is_refused_alone_and_in_a_batch(account_id: str) -> None:
    async with running_ingest() as ingest:
        alone = await put(ingest, quote(account_id, safe=""), {})
        batch = await post(ingest, [{"id": "a"}, {"id": account_id}])
        assert [answer.status_code for answer in (alone, batch)] == [422, 422]
        assert [answer.json()["errors"][0]["at"] for answer in (alone, batch)] == ["path.account_id", "body.items.1.id"]
        assert "part of an address" in alone.json()["errors"][0]["problem"]
        assert ingest.log.records == []


async def test_an_id_with_a_line_break_is_refused_as_such_and_not_as_a_missing_page() -> None:
    async with running_ingest() as ingest:
        answer = await put(ingest, "a%0Ab", {})
        assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "path.account_id")


@pytest.mark.parametrize("account_id", ["Acme & Söhne", "株式会社", "a?b#c%2F", "crm:17+x"])
async def test_any_other_id_can_be_addressed(account_id: str) -> None:
    async with running_ingest() as ingest:
        answer = await put(ingest, quote(account_id, safe=""), {})
        assert (answer.status_code, answer.json()["ids"]) == (202, [account_id])


async def test_free_mail_domains_are_refused_and_the_policy_adds_to_them() -> None:
    async with running_ingest(routing={"free_mail_domains": ["isp.example"]}) as ingest:
        for domain in ("gmail.com", "ISP.example"):
            answer = await put(ingest, "a", {"domains": ["acme.example", domain]})
            assert answer.json()["errors"][0]["at"] == "body.domains.1"
            assert "free-mail" in answer.json()["errors"][0]["problem"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b'{"arr":NaN}', 422),
        (b'{"name":"\\ud800"}', 422),
        (b'{"name":"\\u0000"}', 422),
        (b"[" * 100_000, 400),
        (b'"text"', 422),
        (b"x" * (BODY_LIMIT + 1), 413),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_bad_input_is_refused_in_words(body: bytes, status: int) -> None:
    async with running_ingest() as ingest:
        headers = ADMIN_HEADERS | {"content-type": "application/json"}
        answer = await ingest.http.put("/v1/accounts/a", content=body, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert ingest.log.records == []


async def test_a_batch_has_a_limit() -> None:
    async with running_ingest() as ingest:
        assert (await post(ingest, [{"id": str(number)} for number in range(MAX_BATCH + 1)])).status_code == 422


async def test_the_token_comes_before_the_body() -> None:
    async with running_ingest() as ingest:
        for headers in ({}, {"authorization": "Bearer nope"}):
            answer = await ingest.http.post("/v1/accounts", content=b"junk", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_g1_without_the_log_nothing_is_promised() -> None:
    async with running_ingest() as ingest:
        ingest.log.down = True
        answer = await put(ingest, "a", {})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) < 60


async def test_the_doors_are_documented() -> None:
    async with running_ingest() as ingest:
        document = (await ingest.http.get("/openapi.json", headers=ADMIN_HEADERS)).json()
        assert {"/v1/accounts", "/v1/accounts/{account_id}"} <= document["paths"].keys()
        fields = document["components"]["schemas"]["AccountItem"]["properties"]
        assert {"name", "domains", "arr", "renewal_date", "contacts", "aliases"} <= fields.keys()
