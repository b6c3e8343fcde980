"""Operating-system processes of the tests: started, paused, ended, found again, and never left behind."""

import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.02


class Unavailable(Exception):
    """A server cannot be had on this machine; the text says why."""


class NotReady(Exception):
    """A server did not accept in time, or ended while starting; the text ends with its last log lines."""


class ServerProcess:
    """One server: the process started here, or one found again by the pid file in its home directory."""

    def __init__(self, home: Path, name: str, user: str | None = None) -> None:
        """Keep `name.pid` and `name.log` under `home`; run as `user` (None: as whoever we are)."""
        self.home = home
        self.log = home / f"{name}.log"
        self._pid_file = home / f"{name}.pid"
        self._user = user

    @property
    def process(self) -> psutil.Process | None:
        """The running process, or None; a pid that meanwhile belongs to another program is not ours."""
        try:
            pid, started = self._pid_file.read_text().split()
            found = psutil.Process(int(pid))
            same = abs(found.create_time() - float(started)) < 2  # boot time, its base, moves when the clock is set
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start `command` in its own session (Ctrl-C does not reach it), writing to the log."""
        with self.log.open("ab") as log:
            started = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                **as_user(self._user),
            )
        self._pid_file.write_text(f"{started.pid} {psutil.Process(started.pid).create_time():.2f}")
        started.returncode = 0  # Popen would warn about a process that outlives it; psutil waits for it below

    def wait_until(self, accepts: Callable[[], bool], seconds: float) -> None:
        """Return once `accepts()` is true; raise NotReady when the process ends or `seconds` have passed."""
        deadline = time.monotonic() + seconds
        while not accepts():
            if self.process is None or time.monotonic() > deadline:
                why = "ended while starting" if self.process is None else f"does not accept after {seconds:.0f} s"
                raise NotReady(f"{self.log.stem} {why}:\n{tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def end(self, how: signal.Signals, seconds: float = 20) -> None:
        """Send `how`, wait, and kill what is left with its children; nothing happens when it is not running."""
        if (process := self.process) is None:
            return
        family = [process, *process.children(recursive=True)]
        send(family, signal.SIGCONT)
        send([process], how)
        if not gone([process], seconds):
            send(family, signal.SIGKILL)
        gone(family, seconds)
        self._pid_file.unlink(missing_ok=True)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its children (SIGSTOP and SIGCONT: pause and resume)."""
        if (process := self.process) is not None:
            send([process, *process.children(recursive=True)], number)


def as_user(user: str | None) -> dict[str, Any]:
    """Arguments of subprocess that make the child run as `user`."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Signal each process that still lives."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def gone(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Wait until none of them runs; a zombie that its parent has not collected yet counts as gone."""
    deadline = time.monotonic() + seconds
    while any(map(_lives, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _lives(process: psutil.Process) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # collects it when it is our child
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A free loopback TCP port outside the kernel's range for outgoing connections.

    Inside that range a client that keeps reconnecting to a stopped server can take the port itself.
    """
    while not is_free(port := random.randint(15_000, 31_999)):
        pass
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections may still linger
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def accepts_tcp(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, or nothing when there is none."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs at once do one thing after the other."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def guarded_directory(prefix: str) -> Iterator[Path]:
    """A temporary directory; it and every process working in it are gone afterwards, even when we are killed.

    A small watcher holds the other end of a pipe: it cleans up as soon as the pipe closes, for whatever reason.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o711)
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tests.support.watcher", directory],
        stdin=subprocess.PIPE,
        cwd=CHECKOUT,
        start_new_session=True,
    )
    try:
        yield directory
    finally:
        watcher.communicate()


def end_all_in(directory: Path) -> None:
    """End every process whose working directory lies in `directory`, then remove the directory."""
    deadline = time.monotonic() + 5
    while left := _working_in(directory):
        send(left, signal.SIGCONT)
        send(left, signal.SIGINT if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.1)  # not a wait for each: one whose parent still lives stays a zombie
    shutil.rmtree(directory, ignore_errors=True)


def _working_in(directory: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cwd", "status"])
    inside = [process for process in found if Path(process.info["cwd"] or "/").is_relative_to(directory)]
    return [process for process in inside if process.info["status"] != psutil.STATUS_ZOMBIE]
