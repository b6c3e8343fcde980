"""What a benchmark measures and says: figures, each with its ratio to a bare baseline of the same run."""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """`ratio` is to the `baseline` measured in the same rounds; `least` and `most` bound the ratio, or the value where
    there is no ratio."""

    what: str
    value: float
    unit: str
    baseline: str = ""
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def judged(self) -> float:
        return self.value if self.ratio is None else self.ratio

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.judged >= self.least) and (self.most is None or self.judged <= self.most)


@dataclass(frozen=True)
class Setting:
    """Where benchmarks run: a directory, a broker, databases, and how many interleaved rounds."""

    home: Path
    kafka: Callable[[], str]
    """Starts the broker when it is first asked for; `host:port`."""
    postgres: Callable[[], str]
    """The URL of a new, empty database."""
    rounds: int = 6
    say: Callable[[str], None] = field(default=print)


@dataclass(frozen=True)
class Benchmark:
    name: str
    words: str
    run: Callable[[Setting], Awaitable[list[Figure]]]


async def interleaved(rounds: int, contestants: Mapping[str, Callable[[], Awaitable[float]]]) -> dict[str, list[float]]:
    """Each contestant's result in each round; every round has them all, in turn first, so that noise hits all alike."""
    names = list(contestants)
    results: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(await contestants[name]())
    return results


def median_ratio(ours: Sequence[float], bare: Sequence[float]) -> float:
    """The median of the ratios of paired rounds."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1)]


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started
