"""Doubles of vendors' APIs over real HTTP: they page, limit our rate, answer late, fail, and change between pages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.slack_sandbox import serving

Answer = Callable[[Request], Any]


@dataclass
class Fault:
    """What happens to the next call in place of its answer: a status, a Retry-After (seconds), a delay."""

    status: int = 200
    retry_after: str | None = None
    hang: asyncio.Event | None = None


@dataclass
class VendorDouble:
    """Answers by path; `calls` are the paths asked for, `faults` what the next calls get, `between` is run after each
    page, so that data can change between pages."""

    name: str
    token: str = "the-token"
    objects: dict[str, Any] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 2
    calls: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["VendorDouble"]:
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])
        async with serving(app) as self.url:
            yield self

    def count(self, part: str) -> int:
        return sum(part in call for call in self.calls)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.calls.append(path)
        self.credentials.append(request.headers.get("authorization") or request.headers.get("x-api-token") or "")
        if self.faults:
            fault = self.faults.pop(0)
            if fault.hang is not None:
                await fault.hang.wait()
            if fault.status != 200:
                headers = {"retry-after": fault.retry_after} if fault.retry_after is not None else {}
                return JSONResponse({"error": "as you asked"}, fault.status, headers)
        answer = await _LISTS[self.name](self, request) if self.name in _LISTS else None
        if answer is None:
            answer = self.objects.get(path)
        return JSONResponse(answer) if answer is not None else JSONResponse({"error": "not found"}, 404)

    def page(self, number: int) -> list[dict[str, Any]]:
        """By page number: what is added or taken away before shifts what comes after, as at the vendors."""
        found = list(self.listed[(number - 1) * self.page_size : number * self.page_size])
        self.between()
        return found


def epoch(at: datetime) -> int:
    return int(at.timestamp())


async def _zendesk(double: VendorDouble, request: Request) -> Any:
    path = request.url.path
    if path == "/api/v2/satisfaction_ratings.json":
        number = int(request.query_params.get("page[after]", "1"))
        found = double.page(number)
        more = number * double.page_size < len(double.listed)
        following = f"{double.url}{path}?page[after]={number + 1}" if more else None
        return {"satisfaction_ratings": found, "meta": {"has_more": more}, "links": {"next": following}}
    if path == "/api/v2/guide/survey_responses":
        surveys, number = double.objects.get("surveys", []), int(request.query_params.get("page[after]", "1"))
        found = surveys[(number - 1) * double.page_size : number * double.page_size]
        more = number * double.page_size < len(surveys)
        return {"survey_responses": found, "meta": {"has_more": more, "after_cursor": str(number + 1)}}
    if path == "/api/v2/tickets/show_many.json":
        ids = request.query_params["ids"].split(",")
        tickets = [double.objects[key] for one in ids if (key := f"/api/v2/tickets/{one}.json") in double.objects]
        users = [user for one in tickets for user in one["users"]]
        return {"tickets": [one["ticket"] for one in tickets], "users": users}
    return None


async def _delighted(double: VendorDouble, request: Request) -> Any:
    return double.page(int(request.query_params["page"]))


async def _freshdesk(double: VendorDouble, request: Request) -> Any:
    if request.url.path == "/api/v2/surveys/satisfaction_ratings":
        return double.page(int(request.query_params["page"]))
    return None


async def _intercom(double: VendorDouble, request: Request) -> Any:
    if request.url.path != "/conversations/search":
        return None
    asked = await request.json()
    number = int(asked["pagination"].get("starting_after", "1"))
    found = double.page(number)
    more = number * double.page_size < len(double.listed)
    following = {"next": {"page": number + 1, "starting_after": str(number + 1)}} if more else {"next": None}
    return {"type": "conversation.list", "conversations": found, "pages": following}


async def _helpscout(double: VendorDouble, request: Request) -> Any:
    if request.url.path == "/v2/oauth2/token":
        form = parse_qs((await request.body()).decode())
        known = f"{form['client_id'][0]}:{form['client_secret'][0]}" == double.token
        return {"access_token": "fresh"} if known else None
    if request.url.path == "/v2/reports/happiness/ratings":
        number = int(request.query_params["page"])
        return {"results": double.page(number), "pages": -(-len(double.listed) // double.page_size), "page": number}
    return None


async def _surveymonkey(double: VendorDouble, request: Request) -> Any:
    path = request.url.path
    if path == "/v3/surveys":
        return {"data": [{"id": "123456789"}], "links": {}}
    if path.endswith("/responses/bulk"):
        number = int(request.query_params["page"])
        found = double.page(number)
        more = number * double.page_size < len(double.listed)
        return {"data": found, "links": {"next": "there is more"} if more else {}}
    return None


async def _hubspot(double: VendorDouble, request: Request) -> Any:
    path = request.url.path
    if path.endswith("/feedback_submissions/search"):
        number = int((await request.json()).get("after", "1"))
        found = double.page(number)
        more = number * double.page_size < len(double.listed)
        return {"results": found, **({"paging": {"next": {"after": str(number + 1)}}} if more else {})}
    if path.endswith("/contacts/batch/read"):
        ids = [one["id"] for one in (await request.json())["inputs"]]
        known = [double.objects.get(f"/crm/v3/objects/contacts/{one}") for one in ids]
        return {"results": [one for one in known if one]}
    return None


_LISTS: dict[str, Callable[[VendorDouble, Request], Any]] = {
    "zendesk": _zendesk,
    "delighted": _delighted,
    "freshdesk": _freshdesk,
    "intercom": _intercom,
    "helpscout": _helpscout,
    "surveymonkey": _surveymonkey,
    "hubspot": _hubspot,
}
