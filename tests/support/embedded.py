"""The embedded services in this process, without Slack: deliver to `http`, and look into the rows."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Table, select

from migrations import schema
from services.all_in_one import compose
from services.hosting.composition import Composition
from services.hosting.startup import Configuration
from shared.policy import Policy
from shared.settings import Settings
from tests.support.signing import sign

ADMIN = "test-admin-token"


@dataclass
class Embedded:
    composition: Composition
    http: httpx.AsyncClient

    async def delivers(self, source: str, body: bytes, secret: str, **more: str) -> httpx.Response:
        """A signed delivery of a vendor's, taken; `more` are headers that are not signed."""
        headers = sign(source, body, secret, datetime.now(UTC)) | more
        answer = await self.http.post(f"/v1/webhooks/{source}", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer

    async def knows(self, account: str, **record: Any) -> None:
        answer = await self.http.put(f"/v1/accounts/{account}", json=record)
        assert answer.status_code == 202, answer.text
        await self.eventually(lambda: self.get(f"/v1/accounts/{account}"))

    async def get(self, path: str) -> Any:
        """The body; None where there is no such thing (yet)."""
        answer = await self.http.get(path)
        return answer.json() if answer.status_code == 200 else None

    async def cases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/v1/cases"))["items"]
        return found

    async def happened(self, case_id: str) -> list[str]:
        return [entry["type"] for entry in (await self.get(f"/v1/cases/{case_id}/journal"))["items"]]

    async def source(self, name: str) -> dict[str, Any]:
        found = (await self.get("/v1/sources"))["items"]
        return next((one for one in found if one["source"] == name), {})

    async def rows(self, table: Table) -> list[Mapping[str, Any]]:
        database = self.composition.runtime.database
        assert database is not None
        async with database.read() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]

    async def eventually(self, condition: Any, within: float = 20.0) -> Any:
        """What `condition` (async) gives as soon as it is true."""
        deadline = asyncio.get_running_loop().time() + within
        while not (found := await condition()):
            assert asyncio.get_running_loop().time() < deadline, f"not so within {within:g} s"
            await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def embedded(home: Path, sources: dict[str, Any], options: dict[str, Any]) -> AsyncIterator[Embedded]:
    """`sources` are the settings of sources (secret, api_token), `options` the tables of the policy's [sources.*]."""
    settings = Settings(
        _env_file=None,
        database={"url": f"sqlite+aiosqlite:///{home}/closeloop.db"},
        bus={"url": f"embedded://{home}/events.db"},
        auth={"admin_token": ADMIN},
        sources=sources,
    )
    composition = compose(Configuration(settings, Policy(sources=options)))
    database = composition.runtime.database
    assert database is not None
    composition.prepare = lambda: schema.upgrade(database)
    transport = httpx.ASGITransport(composition.app(), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {ADMIN}"}
    await composition.open()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://closeloop.test", headers=headers) as http:
            yield Embedded(composition, http)
    finally:
        await composition.close()
