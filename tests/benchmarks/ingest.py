"""Signed webhooks a second through `closeloop ingest` on Kafka, against a bare FastAPI route doing the same work."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shared.bus.base import Topic
from shared.bus.connect import create_bus
from shared.clock import SystemClock
from shared.settings import BusSettings, Settings
from tests.benchmarks import load
from tests.benchmarks.bare_ingest import TOPIC
from tests.benchmarks.figures import Benchmark, Figure, Setting, interleaved, median_ratio
from tests.support.closeloop import CloseloopProcess, processor_seconds
from tests.support.processes import CHECKOUT, accepts_tcp, free_port
from tests.support.signing import sign
from tests.support.waiting import eventually

SECRET = "bench-secret"
CONNECTIONS = 32
REQUESTS = 2_000
SECONDS = 2.0
WARM_UP_SECONDS = 1.0
PARTITIONS = 6


@dataclass(frozen=True)
class Server:
    base: str
    pid: int

    def processor_seconds(self) -> float:
        return processor_seconds(self.pid)


async def run(setting: Setting) -> list[Figure]:
    bootstrap = setting.kafka()
    await _make_topic(bootstrap)
    prepared = setting.home / "ingest-requests"
    load.write(prepared, _requests())
    settings = {
        "BUS__URL": f"kafka://{bootstrap}",
        "SOURCES__ZENDESK__SECRET": SECRET,
        "LOG__LEVEL": "warning",
    }
    with ExitStack() as stack:
        ours = stack.enter_context(CloseloopProcess(setting.home / "ingest", "ingest", settings=settings))
        bare = stack.enter_context(_bare(bootstrap, setting.home))
        generator = stack.enter_context(_generator())
        servers = {"ours": Server(ours.base, ours.pid), "bare": bare}
        await _rounds(1, WARM_UP_SECONDS, servers, generator, prepared)
        results = await _rounds(setting.rounds, SECONDS, servers, generator, prepared)
        resident = ours.resident_megabytes()
    rates = {name: [one["per_second"] for one in found] for name, found in results.items()}
    costs = {name: [one["cpu_us"] for one in found] for name, found in results.items()}
    return [
        Figure("a bare FastAPI route", statistics.median(rates["bare"]), "/s", note=_latency(results["bare"])),
        Figure(
            "ingest",
            statistics.median(rates["ours"]),
            "/s",
            baseline="the bare route",
            ratio=median_ratio(rates["ours"], rates["bare"]),
            least=1.2,
            note=_latency(results["ours"]),
        ),
        Figure("a bare FastAPI route, processor", statistics.median(costs["bare"]), "us each"),
        Figure(
            "ingest, processor",
            statistics.median(costs["ours"]),
            "us each",
            baseline="the bare route",
            ratio=median_ratio(costs["ours"], costs["bare"]),
        ),
        Figure("ingest, resident", resident, "MB", most=200),
    ]


async def _rounds(
    rounds: int, seconds: float, servers: "dict[str, Server]", generator: "subprocess.Popen[str]", prepared: Path
) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}

    def contestant(name: str, server: Server) -> Callable[[], Awaitable[float]]:
        async def once() -> float:
            before = server.processor_seconds()
            result = await asyncio.to_thread(_drive, generator, server.base, prepared, seconds)
            result["cpu_us"] = (server.processor_seconds() - before) / result["count"] * 1e6
            assert not result["wrong"], f"{name}: {result['wrong']} webhooks got another answer than 202"
            results[name].append(result)
            return float(result["per_second"])

        return once

    await interleaved(rounds, {name: contestant(name, server) for name, server in servers.items()})
    return results


def _drive(generator: "subprocess.Popen[str]", base: str, prepared: Path, seconds: float) -> dict[str, Any]:
    url = urlsplit(base)
    order = {
        "host": url.hostname,
        "port": url.port,
        "connections": CONNECTIONS,
        "seconds": seconds,
        "expected": 202,
        "file": str(prepared),
    }
    assert generator.stdin is not None
    assert generator.stdout is not None
    generator.stdin.write(json.dumps(order) + "\n")
    generator.stdin.flush()
    result: dict[str, Any] = json.loads(generator.stdout.readline())
    return result


def _latency(results: list[dict[str, Any]]) -> str:
    p50, p99 = (statistics.median(one[name] for one in results) for name in ("p50_ms", "p99_ms"))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms at {CONNECTIONS} connections"


def _requests() -> list[bytes]:
    """Rated tickets, each its own, signed for the next five minutes."""
    now = datetime.now(UTC)
    prepared = []
    for number in range(REQUESTS):
        body = json.dumps(_rated(number)).encode()
        headers = sign("zendesk", body, SECRET, now)
        lines = [f"{name}: {value}" for name, value in (headers | {"content-length": str(len(body))}).items()]
        head = "\r\n".join(["POST /v1/webhooks/zendesk HTTP/1.1", "host: bench", *lines])
        prepared.append(head.encode() + b"\r\n\r\n" + body)
    return prepared


def _rated(number: int) -> dict[str, Any]:
    """About 1.1 KB, as our Zendesk template makes it."""
    return {
        "template": "csat-ingest/zendesk-trigger/1",
        "event": "csat.rated",
        "account": "Acme Support",
        "ticket": {
            "id": str(50_000 + number),
            "external_id": "",
            "title": "SSO login loops after password reset",
            "status": "Solved",
            "url": f"acme.zendesk.com/agent/tickets/{50_000 + number}",
            "brand": "Acme",
            "created_at": "2026-03-02T09:12Z",
            "updated_at": "2026-03-03T08:15Z",
        },
        "requester": {"id": "8447388090777", "name": "Mia Holm", "email": f"mia.{number}@nordwind.example"},
        "organization": {"name": "Nordwind GmbH", "external_id": "crm-00417"},
        "assignee": {"name": "Jo Rask", "email": "jo.rask@acme.example"},
        "satisfaction": {"rating": "Bad", "comment": "We waited for two days. " * 16},
    }


async def _make_topic(bootstrap: str) -> None:
    bus = create_bus(Settings(bus=BusSettings(url=f"kafka://{bootstrap}")), SystemClock())
    await bus.start()
    await bus.ensure_topics([Topic(TOPIC, partitions=PARTITIONS)])
    await bus.stop()


@contextmanager
def _bare(bootstrap: str, home: Path) -> Iterator[Server]:
    port = free_port()
    environment = os.environ | {"BARE_SECRET": SECRET, "BARE_KAFKA": bootstrap, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "tests.benchmarks.bare_ingest", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=home)
    try:
        eventually(lambda: accepts_tcp(port), what="the bare route accepts")
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def _generator() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.benchmarks.load"]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


BENCHMARK = Benchmark("ingest", "signed webhooks into Kafka, each answered after the acknowledgement", run)
