"""A load generator in a process of its own: keep-alive connections that send prepared requests as fast as answered.

Run as `python -m tests.benchmarks.load`; one JSON order a line on standard input, one JSON result a line back.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop


@dataclass
class Tally:
    """What came back: answers other than `expected` are counted, not timed."""

    until: float
    expected: bytes
    took: list[float] = field(default_factory=list)
    wrong: int = 0


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last is complete."""

    def __init__(self, requests: list[bytes], offset: int, tally: Tally) -> None:
        self._requests = requests
        self._next = offset
        self._tally = tally
        self._buffer = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, with the same methods
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        mark = head.find(b"content-length:")
        length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        if len(self._buffer) < head_end + 4 + length:
            return
        now = time.perf_counter()
        if self._buffer[9:12] == self._tally.expected:
            self._tally.took.append(now - self._sent_at)
        else:
            self._tally.wrong += 1
        self._buffer = b""
        if now < self._tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        self._sent_at = time.perf_counter()
        self._transport.write(request)


async def drive(order: dict[str, object]) -> dict[str, object]:
    """`host port connections seconds expected file`; the file holds requests, each after its length in 8 digits."""
    requests = _read(Path(str(order["file"])))
    tally = Tally(time.perf_counter() + float(str(order["seconds"])), str(order["expected"]).encode())
    started, loop = time.perf_counter(), asyncio.get_running_loop()
    count = int(str(order["connections"]))
    made = [
        await loop.create_connection(
            lambda share=share: Connection(requests, share * len(requests) // count, tally),  # type: ignore[misc]
            str(order["host"]),
            int(str(order["port"])),
        )
        for share in range(count)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    took = sorted(tally.took)
    return {
        "per_second": len(took) / (time.perf_counter() - started),
        "count": len(took),
        "wrong": tally.wrong,
        "p50_ms": took[len(took) // 2] * 1000 if took else None,
        "p99_ms": took[int(len(took) * 0.99)] * 1000 if took else None,
    }


def _read(file: Path) -> list[bytes]:
    data, found, at = file.read_bytes(), [], 0
    while at < len(data):
        length = int(data[at : at + 8])
        found.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def write(file: Path, requests: list[bytes]) -> None:
    """The file that `drive` reads."""
    file.write_bytes(b"".join(b"%08d" % len(request) + request for request in requests))


if __name__ == "__main__":
    for line in sys.stdin:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(drive(json.loads(line)))), flush=True)
