"""`make bench`: runs the benchmarks, prints ratios against bare baselines, and keeps them in var/bench.json."""

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Benchmark, Figure, Setting
from tests.benchmarks.registry import BENCHMARKS
from tests.support.kafka import KafkaServer, kafka_server
from tests.support.postgres import PostgresServer
from tests.support.processes import CHECKOUT, Unavailable, guarded_directory

RESULTS = CHECKOUT / "var/bench.json"
console = Console(highlight=False, soft_wrap=True)
wide = Console(highlight=False, width=180)


class Servers:
    """The broker and the database server, each started when a benchmark first asks for it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._kafka: KafkaServer | None = None
        self._postgres: PostgresServer | None = None

    def kafka(self) -> str:
        if self._kafka is None:
            self._kafka = kafka_server(self._home / "kafka", console.print)
            self._kafka.start()
        return self._kafka.bootstrap

    def postgres(self) -> str:
        if self._postgres is None:
            self._postgres = PostgresServer(self._home / "postgres")
            self._postgres.start()
        return self._postgres.url(self._postgres.create_database())

    def stop(self) -> None:
        for server in (self._kafka, self._postgres):
            if server is not None:
                server.stop()


@contextmanager
def setting(rounds: int) -> Iterator[Setting]:
    with guarded_directory("closeloop-bench-") as home:
        servers = Servers(home)
        try:
            yield Setting(home, servers.kafka, servers.postgres, rounds, console.print)
        finally:
            servers.stop()


def show(found: dict[str, Sequence[Figure]]) -> None:
    table = Table("benchmark", "what", "value", "ratio", "to", "target", "", box=None)
    for name, figures in found.items():
        for figure in figures:
            table.add_row(name, figure.what, _value(figure), _ratio(figure), figure.baseline, *_target(figure))
    wide.print(table)


def _value(figure: Figure) -> str:
    return f"{figure.value:,.0f} {figure.unit}" if figure.value >= 100 else f"{figure.value:.3g} {figure.unit}"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f}"


def _target(figure: Figure) -> tuple[str, str]:
    parts = []
    if figure.least is not None:
        parts.append(f"at least {figure.least:g}")
    if figure.most is not None:
        parts.append(f"at most {figure.most:g}")
    mark = {None: "", True: "[green]met[/]", False: "[bold red]missed[/]"}[figure.met]
    return " ".join(parts), mark + (f" {figure.note}" if figure.note else "")


def keep(found: dict[str, Sequence[Figure]]) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    about = {"at": datetime.now(UTC).isoformat(), "python": platform.python_version(), "machine": platform.machine()}
    figures = {name: [asdict(figure) | {"met": figure.met} for figure in one] for name, one in found.items()}
    RESULTS.write_text(json.dumps(about | {"figures": figures}, indent=2) + "\n")


async def measure(chosen: Sequence[Benchmark], rounds: int) -> dict[str, Sequence[Figure]]:
    """Each with servers of its own: what one left on the topics would be work for the services of the next."""
    found: dict[str, Sequence[Figure]] = {}
    for benchmark in chosen:
        console.print(f"[bold]{benchmark.name}[/]: {benchmark.words}")
        try:
            with setting(rounds) as where:
                found[benchmark.name] = await benchmark.run(where)
        except Unavailable as reason:
            console.print(f"  left out: {reason}")
        except AssertionError as failure:
            console.print(f"  [bold red]failed:[/] {failure}")
            found[benchmark.name] = [Figure("failed", 0, "", least=1)]
    return found


def main() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"some of: {', '.join(names)}; all when left out")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [benchmark for benchmark in BENCHMARKS if not options.names or benchmark.name in options.names]
    found = asyncio.run(measure(chosen, options.rounds))
    show(found)
    keep(found)
    sys.exit(any(figure.met is False for figures in found.values() for figure in figures))


if __name__ == "__main__":
    main()
