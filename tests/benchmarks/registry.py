"""Every benchmark there is. A new one is one module here and one line in BENCHMARKS."""

from tests.benchmarks import alerts, bus, ingest, scoring, sources, sweep
from tests.benchmarks.figures import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (
    ingest.BENCHMARK,
    sources.BENCHMARK,
    scoring.BENCHMARK,
    bus.BENCHMARK,
    sweep.BENCHMARK,
    *alerts.BENCHMARKS,
)
