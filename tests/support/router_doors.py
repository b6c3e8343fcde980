"""The router's HTTP doors over ASGI: the bench's rows and clock behind the real app, and a log that remembers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from services.router.api.service import routes as api_routes
from services.router.console import routes as console_routes
from services.router.sessions import Sessions, sign_in_url
from shared.events.envelope import Record
from shared.runtime import Runtime, Service
from shared.settings import AuthSettings, HttpSettings, Settings
from shared.web import create_app
from tests.support.router import RouterBench

TOKEN = "a-token-only-these-tests-know"


class RememberingBus:
    """Only what the router's doors need of the log: publish."""

    def __init__(self) -> None:
        self.published: list[Record] = []

    async def publish(self, records: list[Record]) -> None:
        self.published += records


class Doors:
    """`async with doors.client() as http: await http.get("/v1/cases")`, with the admin token unless told otherwise."""

    def __init__(self, bench: RouterBench, public_url: str | None = None) -> None:
        settings = Settings(
            _env_file=None,
            auth=AuthSettings(admin_token=SecretStr(TOKEN)),
            http=HttpSettings(public_url=public_url or "http://closeloop.test"),
        )
        self.bench = bench
        self.bus = RememberingBus()
        bus: Any = self.bus
        self.runtime = Runtime(settings, bench.policy, bench.clock, bus, bench.database)
        sessions = Sessions(self.runtime)
        self.woken = 0
        routes = [
            *api_routes(self.runtime, bench.cases, self._wake, sessions),
            *console_routes(self.runtime, bench.cases, self._wake, sessions),
        ]
        self.app: FastAPI = create_app(settings, [Service("router", routes=routes)])

    def _wake(self) -> None:
        self.woken += 1

    @asynccontextmanager
    async def client(self, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://closeloop.test", headers=headers) as http:
            yield http

    def sign_in_path(self) -> str:
        return sign_in_url(self.runtime).removeprefix("http://closeloop.test")
