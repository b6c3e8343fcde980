"""Serves one composition over HTTP until the process is told to end, then stops in order."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
import uvicorn
import uvloop

from services.hosting.composition import Composition
from services.hosting.one_write import OneWriteProtocol
from shared.errors import ConfigurationError

log = structlog.get_logger(__name__)

GRACE_SECONDS = 5
_BACKLOG = 2048
SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while another waits. SQLite's answers come from threads: with Python's own
5 ms each statement could wait so long for the event loop to pause."""
GC_ALLOCATIONS = 20_000
"""New objects after which cycles are looked for, 700 in Python's own: a batch makes thousands, nearly all of which go
by themselves."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ConfigurationError saying which setting to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, else asyncio leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}."
            " Choose another with --port or CLOSELOOP_HTTP__PORT."
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """The listener's base URL as seen from this machine: `http://127.0.0.1:8000`."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reachable}:{port}"


class Server(uvicorn.Server):
    """uvicorn, ended by SIGTERM or SIGINT with status 0 once all is committed (its own would re-raise the signal)."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


async def serve(
    composition: Composition, listener: socket.socket, beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
) -> None:
    """Serve until SIGTERM or SIGINT. `beside` runs along, and is cancelled at the end. Raises what opening raised when
    it can never succeed."""
    server = Server(
        uvicorn.Config(
            composition.app(),
            http=OneWriteProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    composition.failed = failed
    companions = [asyncio.create_task(work()) for work in beside]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in companions:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if failures:
        raise failures[0]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
