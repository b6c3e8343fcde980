"""What the servers of the tests promise about processes: none is left behind, none that is foreign is ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.processes import CHECKOUT, ServerProcess

DEADLINE = 30
SLEEPER = """
import signal, sys, time
from tests.support.processes import guarded_directory, ServerProcess
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs us in the background
with guarded_directory("closeloop-guarded-") as home:
    server = ServerProcess(home, "sleeper")
    server.start(["sleep", "600"])
    if sys.argv[1] == "paused":
        server.process.suspend()
    print(home, server.process.pid, flush=True)
    time.sleep(600)
"""


def wait_until(true: Callable[[], bool]) -> None:
    """Return once `true()`, or fail after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def python(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout and return what it printed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.parametrize("state", ["running", "paused"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_a_session_ends_its_servers_and_files_are_gone(state: str, number: signal.Signals) -> None:
    session = subprocess.Popen([sys.executable, "-c", SLEEPER, state], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    assert session.stdout is not None
    home, pid = session.stdout.readline().split()
    server = psutil.Process(int(pid))
    session.send_signal(number)
    session.communicate(timeout=DEADLINE)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: not Path(home).exists())


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(tmp_path: Path) -> None:
    foreign = subprocess.Popen(["sleep", "600"])
    try:
        (tmp_path / "kafka.pid").write_text(f"{foreign.pid} {time.time() - 86_400:.2f}")
        server = ServerProcess(tmp_path, "kafka")
        server.end(signal.SIGKILL)
        assert server.process is None
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_services_start_accept_keep_their_port_and_end(services_home: Path) -> None:
    def services(command: str) -> str:
        done = python("-m", "tests.support.services", command, "--directory", services_home / "lasting")
        assert done.returncode == 0, done.stderr
        return done.stdout

    settings = services_home / "lasting/services.env"
    assert "Both accept" in services("start")
    first = settings.read_text()
    assert "CLOSELOOP_DATABASE__URL=postgresql+asyncpg://closeloop:" in first
    assert "CLOSELOOP_BUS__URL=kafka://127.0.0.1:" in first
    assert settings.stat().st_mode & 0o077 == 0
    assert "Already running, nothing changed" in services("start")
    services("stop")
    assert not settings.exists()
    assert "not running" in services("status")
    services("start")
    assert settings.read_text() == first
    services("stop")


def test_a_skip_fails_in_ci_and_only_there(tmp_path: Path) -> None:
    tests = tmp_path / "test_two.py"
    tests.write_text(
        "import pytest\ndef test_one(): pytest.skip('no broker')\n@pytest.mark.xfail\ndef test_two(): assert False\n"
    )
    run = ["-m", "pytest", "-p", "tests.support.skips", "-p", "no:cacheprovider", "--rootdir", tmp_path, tests]
    assert "1 skipped, 1 xfailed" in python(*run, CI="").stdout
    in_ci = python(*run, CI="true").stdout
    assert "1 failed, 1 xfailed" in in_ci
    assert "a skip is a failure in CI" in in_ci
    assert "no broker" in in_ci
    tests.write_text("import pytest\npytest.skip('no broker', allow_module_level=True)\n")
    assert python(*run, CI="").returncode == 5
    assert "no broker" in python(*run, CI="true").stdout
    assert python(*run, CI="true").returncode == 2
