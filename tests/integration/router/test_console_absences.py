"""The console's page of absences: entered, listed and ended by the API's rules; what cannot be right is said there."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.router.store import people
from tests.support.router import RouterBench
from tests.support.router_doors import Doors

ANA, EVA, TOM, LEA = (f"{name}@us.example" for name in ("ana", "eva", "tom", "lea"))
AWAY = {"person": ANA, "cover": EVA, "last_day": "2026-11-06", "timezone": "Europe/Berlin", "reason": "A fair"}


@pytest.fixture
async def lea(router: RouterBench) -> AsyncIterator[httpx.AsyncClient]:
    doors = Doors(router)
    async with doors.client(token=None) as client:
        code = httpx.URL(doors.sign_in_path()).params["code"]
        assert (
            await client.post("/signin?next=%2Fcovers&unsent=true", data={"code": code, "email": LEA})
        ).status_code == 303
        yield client


async def shown(client: httpx.AsyncClient) -> str:
    answer = await client.get("/covers")
    assert answer.status_code == 200
    return answer.text


async def sends(client: httpx.AsyncClient, path: str = "/covers", **fields: Any) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', await shown(client))
    assert found is not None
    return await client.post(path, data={"csrf": found[1], **fields})


async def test_an_absence_entered_there_moves_the_cases_and_ending_it_gives_them_back(
    lea: httpx.AsyncClient, router: RouterBench
) -> None:
    case_id = (await router.low(2)).case.id
    assert "Nobody is away" in await shown(lea)
    assert (await sends(lea, **AWAY)).status_code == 303
    page = await shown(lea)
    assert "Noted: eva@us.example covers for ana@us.example until Fri 6 Nov. 1 case changed hands." in page
    assert "A fair" in page
    case = (await router.case(case_id)).case
    assert (case.owner, case.covers_for) == (EVA, ANA)

    end = re.search(r'action="(/covers/[^"]+/end)"', page)
    assert end is not None
    assert (await sends(lea, end[1])).status_code == 303
    page = await shown(lea)
    assert "The absence is over. 1 case changed hands." in page
    assert "ended early" in page
    assert (await router.case(case_id)).case.owner == ANA
    assert (await sends(lea, end[1])).status_code == 303, "ending it twice is no error"
    assert LEA in page, "who entered it is named"


async def test_the_last_day_is_a_whole_one_where_the_person_lives(lea: httpx.AsyncClient, router: RouterBench) -> None:
    await sends(lea, **AWAY)
    async with Doors(router).client() as http:
        (item,) = (await http.get("/v1/covers")).json()["items"]
    assert item["ends_at"] == "2026-11-06T23:00:00Z"
    assert (item["created_by"], item["timezone"], item["reason"]) == (LEA, "Europe/Berlin", "A fair")


async def test_one_to_come_is_listed_and_can_be_taken_back(lea: httpx.AsyncClient, router: RouterBench) -> None:
    case_id = (await router.low(2)).case.id
    await sends(lea, **{**AWAY, "first_day": "2026-11-04"})
    page = await shown(lea)
    assert "Take back" in page
    assert (await router.case(case_id)).case.owner == ANA
    end = re.search(r'action="(/covers/[^"]+/end)"', page)
    assert end is not None
    await sends(lea, end[1])
    router.clock.advance(timedelta(days=3))
    assert "Nobody is away" in await shown(lea)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cover": ANA}, "Nobody can cover for themselves"),
        ({"cover": "Eva"}, "Name a person by e-mail"),
        ({"person": ""}, "Name a person by e-mail"),
        ({"last_day": "2026-11-01"}, "An absence must end after it starts"),
        ({"first_day": "2026-10-20", "last_day": "2026-10-24"}, "That is over already"),
        ({"first_day": "2026-11-09"}, "An absence must end after it starts"),
        ({"last_day": "Friday"}, "Write a day such as"),
        ({"first_day": "9999-12-31"}, "Write a day such as"),
        ({"first_day": "2033-01-01", "last_day": ""}, "more than three years ahead"),
        ({"timezone": "../../etc/passwd"}, "is no time zone"),
        ({"cover": "gone@us.example"}, "gone@us.example is deactivated in Slack: name somebody else"),
    ],
)
async def test_what_cannot_be_right_is_said_at_its_field_and_nothing_typed_is_lost(
    lea: httpx.AsyncClient, router: RouterBench, change: dict[str, str], words: str
) -> None:
    async with router.database.transaction() as tx:
        gone = people.Person("gone@us.example", "U9", None, None, "is deactivated in Slack", router.clock.now())
        await people.remember(tx, gone)
    refused = await sends(lea, **{**AWAY, **change})
    assert refused.status_code == 422
    assert re.search(rf'class="wrong" role="alert">[^<]*{re.escape(words)}', refused.text)
    assert "A fair" in refused.text
    assert "Nobody is away" in await shown(lea)


async def test_a_chain_is_followed_and_what_would_make_it_a_circle_is_refused(
    lea: httpx.AsyncClient, router: RouterBench
) -> None:
    case_id = (await router.low(2)).case.id
    await sends(lea, **AWAY)
    await sends(lea, person=EVA, cover=TOM)
    assert "tom@us.example covers for eva@us.example until they are back" in await shown(lea)
    assert (await router.case(case_id)).case.owner == TOM
    refused = await sends(lea, person=TOM, cover=ANA)
    assert refused.status_code == 422
    assert "in a circle: tom@us.example -&gt; ana@us.example -&gt; eva@us.example -&gt; tom@us.example" in refused.text
    assert (await router.case(case_id)).case.owner == TOM


async def test_without_its_token_a_form_changes_nothing(lea: httpx.AsyncClient, router: RouterBench) -> None:
    assert (await lea.post("/covers", data=AWAY)).status_code == 403
    await sends(lea, **AWAY)
    end = re.search(r'action="(/covers/[^"]+/end)"', await shown(lea))
    assert end is not None
    assert (await lea.post(end[1], data={"csrf": "forged"})).status_code == 403
    assert "End now" in await shown(lea)
    assert (await sends(lea, "/covers/no-such/end")).status_code == 404
    async with Doors(router).client(token=None) as stranger:
        for path in ("/covers", "/covers/x/end"):
            assert (await stranger.post(path, data=AWAY)).headers["location"] == "/signin?next=%2Fcovers&unsent=true"


async def test_what_people_typed_is_text_on_the_page(lea: httpx.AsyncClient) -> None:
    attack = "<script>alert(1)</script>"
    await sends(lea, **{**AWAY, "reason": attack})
    refused = await sends(
        lea, **{**AWAY, "person": f'"{attack}@x.example', "cover": f'"{attack}@x.example', "reason": attack}
    )
    for page in (await shown(lea), refused.text):
        assert attack not in page
        assert "&lt;script&gt;" in page
