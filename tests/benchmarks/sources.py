"""What verifying and translating one typical delivery costs, source by source, and how that grows with the body."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ingest.authentication import authenticate
from services.ingest.sources import SOURCES, cloudevents
from services.ingest.sources.base import Source, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.benchmarks.figures import Benchmark, Figure, Setting
from tests.support.payloads import Sample, samples
from tests.support.probes import probes

MOST_MICROSECONDS = 150
MOST_GROWTH = 2.5
BATCHES, IN_A_BATCH = 40, 25
SMALL, DOUBLINGS = 100_000, 2
# Growth of work that takes less than this is noise.
WORTH_A_RATIO_SECONDS = 0.0005


@dataclass(frozen=True)
class Delivery:
    source: Source
    sample: Sample
    request: WebhookRequest
    secrets: Sequence[str]
    options: dict[str, Any]
    at: datetime

    def take(self) -> None:
        authenticate(self.source, self.request, self.secrets, self.options, self.at)
        self.source.translate(self.request, self.options, self.at)


async def run(setting: Setting) -> list[Figure]:
    return [figure for source in (*SOURCES, cloudevents.SOURCE) for figure in _of(source, setting)]


def _of(source: Source, setting: Setting) -> list[Figure]:
    """The dearest of the source's samples, and the body that grows worst."""
    deliveries = [_delivery(source, one) for one in samples(source.name)]
    costs = {one.sample.file: _microseconds(one.take) for one in deliveries}
    dearest = max(costs, key=lambda file: costs[file])
    growth = {
        f"{one.sample.file}: {name}": _growth(one, make, setting.rounds)
        for one in deliveries
        for name, make in probes(one.sample, source.content).items()
    }
    worst = max(growth, key=lambda name: growth[name])
    return [
        Figure(f"{source.name}, verified and translated", costs[dearest], "us", most=MOST_MICROSECONDS, note=dearest),
        Figure(f"{source.name}, twice the body", growth[worst], "times", most=MOST_GROWTH, note=worst),
    ]


def _delivery(source: Source, one: Sample) -> Delivery:
    options, _ = parse_options(source, one.options)
    headers = one.headers if one.secret else {**one.headers, "x-closeloop-token": "bench-token"}
    url = one.url or f"http://127.0.0.1:8000/v1/webhooks/{source.name}"
    request = WebhookRequest("POST", url, headers, one.body, {})
    return Delivery(source, one, request, [one.secret or "bench-token"], options, one.at)


def _microseconds(work: Callable[[], None]) -> float:
    """The median over batches, in processor time: what else the machine does is not counted."""
    took = []
    for _ in range(BATCHES):
        started = time.process_time_ns()
        for _ in range(IN_A_BATCH):
            work()
        took.append((time.process_time_ns() - started) / IN_A_BATCH / 1000)
    return statistics.median(took)


def _growth(delivery: Delivery, make: Callable[[int], bytes], rounds: int) -> float:
    """How much longer twice the body takes: the mean of some doublings, by the medians of paired rounds."""
    small, large = make(SMALL), make(SMALL << DOUBLINGS)
    pairs = [(_seconds(delivery, small), _seconds(delivery, large)) for _ in range(rounds)]
    before, after = (statistics.median(one) for one in zip(*pairs, strict=True))
    return float((after / max(before, WORTH_A_RATIO_SECONDS)) ** (1 / DOUBLINGS))


def _seconds(delivery: Delivery, body: bytes) -> float:
    request = WebhookRequest("POST", delivery.request.url, delivery.request.headers, body, {})
    started = time.process_time()
    with suppress(Unprocessable):
        delivery.source.translate(request, delivery.options, delivery.at)
    return time.process_time() - started


BENCHMARK = Benchmark("sources", "one delivery of each source verified and translated, and how its cost grows", run)
