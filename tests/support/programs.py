"""Our own programs as processes on free loopback ports: started, crashed at a named point, killed, started again."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import psutil

from shared.faults import VARIABLE
from tests.support.processes import CHECKOUT, ServerProcess, accepts_tcp, free_port, tail
from tests.support.waiting import eventually

START_SECONDS = 60


class Program:
    """`python -m <module> <arguments> --port <port>`; the port stays the same over every start."""

    def __init__(self, home: Path, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self.starts = 0
        self._command = [sys.executable, "-m", *command, "--port", str(self.port)]
        self._environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), environment.get("PYTHONPATH")]))
        }
        self._environment = {**environment, **self._environment}
        self._process = ServerProcess(home, name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        process = self._process.process
        return process.pid if process else None

    def start(self, crash_at: str = "") -> None:
        """Start and return at once; with `crash_at` it kills itself when it comes to that point."""
        assert self.pid is None, f"{self.name} runs already"
        self.starts += 1
        self._process.start(self._command, {**self._environment, VARIABLE: crash_at})

    def wait_until_ready(self, path: str = "/readyz") -> None:
        """Return when it answers; raises NotReady with the end of its log."""
        self._process.wait_until(lambda: self._answers(path), START_SECONDS)

    def wait_until_dead(self, within: float = 30.0) -> None:
        """Return when the process has ended by itself."""
        try:
            eventually(lambda: self.pid is None, within)
        except AssertionError:
            raise AssertionError(f"{self.name} still lives after {within:g} s:\n{self.log()}") from None

    def kill(self) -> None:
        """`kill -9`: nothing is finished, nothing is said."""
        self._process.end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an administrator stops it."""
        self._process.end(signal.SIGTERM)

    def memory_mb(self) -> float:
        """Resident memory in megabytes."""
        process = self._process.process
        assert process is not None
        return psutil.Process(process.pid).memory_info().rss / 1e6

    def log(self, lines: int = 40) -> str:
        return tail(self._process.log, lines)

    def whole_log(self) -> str:
        return self._process.log.read_text(errors="replace") if self._process.log.exists() else ""

    def _answers(self, path: str) -> bool:
        if not accepts_tcp(self.port):  # cheaper to ask again and again while it starts
            return False
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
