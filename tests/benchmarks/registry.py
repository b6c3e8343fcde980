"""Every benchmark there is. A new one is one module here and one line in BENCHMARKS."""

from tests.benchmarks import alerts, ingest, sweep
from tests.benchmarks.figures import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (
    ingest.BENCHMARK,
    sweep.BENCHMARK,
    *alerts.BENCHMARKS,
)
