"""From a webhook to the cards in Slack: 50 flagged events a second over 50 CSMs and 50 support leads.

The time is from `received_at`, when ingest had the webhook, to the moment the sandbox stored the message.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
from sqlalchemy import func, select

from services.router.tables import notices
from shared.db.engine import Database
from shared.settings import DatabaseSettings
from tests.benchmarks.figures import Benchmark, Figure, Setting, quantile
from tests.support.closeloop import CloseloopProcess, closeloop, environment
from tests.support.processes import accepts_tcp, free_port
from tests.support.signing import WHSEC, sign
from tests.support.waiting import eventually

PEOPLE = 50
PER_SECOND = 50
EVENTS = PER_SECOND * 15
WARM_UP = PER_SECOND * 10
"""So long a fresh broker compiles itself, on the same two cores."""
EVENTS_WITHIN_LIMITS = PER_SECOND * 3
"""A burst: Slack takes several hundred messages a minute from an app, which is less than 50 events a second make."""
CARDS_EACH = 2
PATIENCE_SECONDS = 180
BOT_TOKEN, SIGNING_SECRET, ADMIN_TOKEN = "xoxb-bench", "bench-signing-secret", "bench-admin-token"
COMMENT = "We waited for two days, and nobody told us why. " * 6


async def run(setting: Setting, *, distributed: bool, limits: bool) -> list[Figure]:
    events, warm = (EVENTS_WITHIN_LIMITS, PEOPLE) if limits else (EVENTS, WARM_UP)
    home = setting.home / f"alerts-{'distributed' if distributed else 'embedded'}-{'limits' if limits else 'free'}"
    home.mkdir()
    with ExitStack() as stack:
        sandbox = stack.enter_context(_sandbox(limits))
        settings = _settings(sandbox, limits)
        if distributed:
            settings |= {"DATABASE__URL": setting.postgres(), "BUS__URL": f"kafka://{setting.kafka()}"}
            done = await asyncio.to_thread(closeloop, home, "db", "upgrade", settings=settings)
            assert done.returncode == 0, done.stderr
        names = ("ingest", "scoring", "router") if distributed else ("up",)
        processes = {name: stack.enter_context(CloseloopProcess(home, name, settings=settings)) for name in names}
        url = settings.get("DATABASE__URL") or f"sqlite+aiosqlite:///{home}/var/closeloop.db"
        door, router = next(iter(processes.values())).base, list(processes.values())[-1].base
        database = Database(DatabaseSettings(url=url))
        try:
            await _introduce(sandbox, door, router, warm + events)
            await _send(door, range(warm), PER_SECOND)
            await _wait_for(database, warm * CARDS_EACH)
            started = datetime.now(UTC)
            before = {name: process.processor_seconds() for name, process in processes.items()}
            await _send(door, range(warm, warm + events), PER_SECOND)
            await _wait_for(database, (warm + events) * CARDS_EACH)
            took = await _latencies(database, started)
            used = {name: process.processor_seconds() - before[name] for name, process in processes.items()}
        finally:
            await database.close()
        resident = {name: process.resident_megabytes() for name, process in processes.items()}
    assert len(took) == events * CARDS_EACH, f"{len(took)} cards for {events} events"
    to_row, to_call, to_slack = zip(*took, strict=True)
    return [
        Figure("p50", quantile(to_slack, 0.50), "s", note=f"a burst of {events}" if limits else ""),
        Figure("p99", quantile(to_slack, 0.99), "s", most=None if limits else 1.0),
        Figure("p99 until the row is there", quantile(to_row, 0.99), "s"),
        Figure("p99 until the call is made", quantile(to_call, 0.99), "s"),
        *(Figure(f"{name}, processor", seconds / events * 1000, "ms an event") for name, seconds in used.items()),
        *(Figure(f"{name}, resident", megabytes, "MB", most=200) for name, megabytes in resident.items()),
    ]


def _settings(sandbox: str, limits: bool) -> dict[str, str]:
    return {
        "SLACK__BOT_TOKEN": BOT_TOKEN,
        "SLACK__SIGNING_SECRET": SIGNING_SECRET,
        "SLACK__API_URL": f"{sandbox}/api/",
        "SLACK__RATE_LIMITS": str(limits).lower(),
        "SOURCES__STANDARD__SECRET": WHSEC,
        "AUTH__ADMIN_TOKEN": ADMIN_TOKEN,
        "LOG__LEVEL": "warning",
    }


@contextmanager
def _sandbox(limits: bool) -> Iterator[str]:
    port = free_port()
    options = [] if limits else ["--no-rate-limits"]
    secrets = ["--bot-token", BOT_TOKEN, "--signing-secret", SIGNING_SECRET]
    command = [sys.executable, "-m", "services.slack_sandbox", "--port", str(port), *secrets, *options]
    process = subprocess.Popen(command, env=environment())
    try:
        eventually(lambda: accepts_tcp(port), what="the sandbox accepts")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def _introduce(sandbox: str, door: str, router: str, count: int) -> None:
    """Everybody is in the workspace, and every account is known."""
    accounts = [
        {
            "id": f"account-{number}",
            "name": f"Account {number}",
            "domains": [f"account-{number}.example"],
            "arr": 250_000,
            "csm": f"csm-{number % PEOPLE}@us.example",
            "support_lead": f"lead-{number % PEOPLE}@us.example",
        }
        for number in range(count)
    ]
    headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        for role in ("csm", "lead"):
            for number in range(PEOPLE):
                person = {"name": f"{role} {number}", "email": f"{role}-{number}@us.example"}
                (await client.post(f"{sandbox}/_sandbox/users", json=person)).raise_for_status()
        for start in range(0, len(accounts), 500):
            batch = {"items": accounts[start : start + 500]}
            (await client.post(f"{door}/v1/accounts", json=batch, headers=headers)).raise_for_status()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for account in accounts:
            while not (await client.get(f"{router}/v1/accounts/{account['id']}", headers=headers)).is_success:
                assert time.monotonic() < deadline, "the router does not learn of the accounts"
                await asyncio.sleep(0.1)


async def _send(door: str, numbers: Sequence[int], per_second: int) -> None:
    """One flagged response of each account, at a steady rate whatever the answers take."""
    async with aiohttp.ClientSession(door, connector=aiohttp.TCPConnector(limit=64)) as client:
        started, sent = time.perf_counter(), []
        for position, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, started + position / per_second - time.perf_counter()))
            sent.append(asyncio.create_task(_post(client, number)))
        await asyncio.gather(*sent)


async def _post(client: aiohttp.ClientSession, number: int) -> None:
    body = json.dumps(_response(number)).encode()
    headers = sign("standard", body, WHSEC, datetime.now(UTC), delivery_id=f"delivery-{number}")
    async with client.post("/v1/webhooks/standard", data=body, headers=headers) as answer:
        assert answer.status == HTTPStatus.ACCEPTED, await answer.text()


def _response(number: int) -> dict[str, Any]:
    return {
        "type": "survey.response.created",
        "data": {
            "id": f"response-{number}",
            "metric": "csat",
            "score": 1,
            "scale": {"min": 1, "max": 5},
            "comment": COMMENT,
            "ticket": {"id": f"T-{number}", "subject": "Export fails", "url": f"https://desk.example/t/{number}"},
            "respondent": {"email": f"dora@account-{number}.example", "name": "Dora"},
        },
    }


async def _wait_for(database: Database, cards: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    query = select(func.count()).select_from(notices).where(notices.c.state == "sent", notices.c.since.is_not(None))
    while True:
        async with database.read() as connection:
            found = (await connection.execute(query)).scalar_one()
        if found >= cards:
            return
        assert time.monotonic() < deadline, f"{found} of {cards} cards after {PATIENCE_SECONDS} s"
        await asyncio.sleep(0.25)


async def _latencies(database: Database, since: datetime) -> list[tuple[float, float, float]]:
    """Of each card: seconds from received to its row, to its call, and to the moment the sandbox stored it."""
    steps = (notices.c.since, notices.c.created_at, notices.c.attempt_started_at, notices.c.ts)
    query = select(*steps).where(notices.c.since >= since, notices.c.state == "sent")
    async with database.read() as connection:
        return [
            ((row - began).total_seconds(), (call - began).total_seconds(), float(ts) - began.timestamp())
            for began, row, call, ts in await connection.execute(query)
        ]


def _benchmark(name: str, words: str, *, distributed: bool, limits: bool) -> Benchmark:
    return Benchmark(f"alerts-{name}", words, partial(run, distributed=distributed, limits=limits))


BENCHMARKS = (
    _benchmark("embedded", "webhook to Slack, embedded, no rate limits", distributed=False, limits=False),
    _benchmark("distributed", "webhook to Slack, Kafka and PostgreSQL, no rate limits", distributed=True, limits=False),
    _benchmark("embedded-limited", "webhook to Slack, embedded, within Slack's limits", distributed=False, limits=True),
    _benchmark("distributed-limited", "the same on Kafka and PostgreSQL", distributed=True, limits=True),
)
