"""`closeloop` as people run it: its commands, and its processes in a directory of their own, told to end, or killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import structlog
from typer.testing import CliRunner

from services.cli import app
from tests.support.processes import CHECKOUT, NotReady, tail

_UP = re.compile(r"is up on (http://\S+:\d+)")
_START_SECONDS = 120
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without any CLOSELOOP_ of it, and `settings` (names without the prefix)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLOSELOOP_")}
    ours = {f"CLOSELOOP_{name}": value for name, value in (settings or {}).items()}
    # PYTHONDONTWRITEBYTECODE would make every process compile all of the services.
    python = {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return kept | python | {"COLUMNS": "200"} | ours


def closeloop(home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Run a command that ends by itself, here: a process of its own would import the whole program first."""
    home.mkdir(parents=True, exist_ok=True)
    return run_here(home, arguments, environment(settings))


def closeloop_apart(
    home: Path, *arguments: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same as a process, for what would listen and serve if it were not refused."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(
        command, cwd=home, env=environment(settings), capture_output=True, text=True, timeout=_START_SECONDS
    )


def processor_seconds(pid: int) -> float:
    """What a process has used of the processors; unlike rates, hardly changed by what else the machine does."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def run_here(home: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a command in this process, in `home` and with this environment instead of ours; an unexpected error is
    raised. The logging that it sets up goes with it."""
    gone = dict.fromkeys(os.environ.keys() - environment.keys())
    logging_before = structlog.get_config()
    try:
        with chdir(home):
            result = CliRunner().invoke(app, list(arguments), env={**gone, **environment}, catch_exceptions=False)
    finally:
        structlog.configure(**logging_before)
    return Ended(result.exit_code, result.stdout, result.stderr)


class CloseloopProcess:
    """`up`, `ingest`, `scoring` or `router`, on a free port unless told otherwise."""

    def __init__(self, home: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> None:
        """Nothing starts yet. Several processes may share `home`, the working directory."""
        self.home = home
        self.arguments = arguments if "--port" in arguments else (*arguments, "--port", "0")
        self.settings = dict(settings or {})
        self.log = home / f"{arguments[0]}.log"
        self.base = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "CloseloopProcess":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What this run has written so far, to standard output and standard error."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def launch(self) -> "CloseloopProcess":
        """Start and do not wait."""
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services", *self.arguments],
                cwd=self.home,
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def start(self) -> "CloseloopProcess":
        """Start and return when everything is open. Raises NotReady."""
        return self.launch().wait_until_up()

    def wait_until_up(self) -> "CloseloopProcess":
        deadline = time.monotonic() + _START_SECONDS
        while (found := _UP.search(self.output)) is None:
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise NotReady(f"closeloop {self.arguments[0]} did not come up:\n{tail(self.log, 40)}")
            time.sleep(0.02)
        self.base = found[1]
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        """Ask it to end as a supervisor would, and return its status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self, seconds: float = _STOP_SECONDS) -> int:
        """The status of a process that ends by itself, as at a crash point."""
        assert self._process is not None
        return self._process.wait(seconds)

    def processor_seconds(self) -> float:
        return processor_seconds(self.pid)

    def resident_megabytes(self) -> float:
        memory: int = psutil.Process(self.pid).memory_info().rss
        return memory / 1e6

    @property
    def admin_token(self) -> str:
        return self.settings.get("AUTH__ADMIN_TOKEN") or (self.home / "var/admin-token").read_text().strip()

    def client(self) -> httpx.Client:
        """Signed in with the admin token."""
        headers = {"authorization": f"Bearer {self.admin_token}"}
        # Nothing is verified over plain HTTP; to load the certificates takes longer than most requests.
        return httpx.Client(base_url=self.base, headers=headers, timeout=20, trust_env=False, verify=False)
