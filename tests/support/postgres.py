"""A PostgreSQL server for the tests: Debian's, the wheel's, or a running one that was named to us."""

import secrets
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, make_url

from tests.support.blocking import wait_for
from tests.support.postgres_programs import (
    find_binaries,
    reachable_binaries,
    reachable_home,
    unprivileged_user,
    version,
)
from tests.support.processes import ServerProcess, Unavailable, as_user, free_port, is_free

ADMIN = "closeloop"
START_SECONDS = 30


class PostgresDatabases:
    """Databases of one server, made and dropped."""

    def __init__(self, server: URL, description: str) -> None:
        self._server = server.set(drivername="postgresql+asyncpg")
        self.description = description

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database, password included: `postgresql+asyncpg://...`."""
        return self._server.set(database=database).render_as_string(hide_password=False)

    def create_database(self, name: str | None = None) -> str:
        """Create an empty database (under a random name) and return its name."""
        name = name or f"test_{secrets.token_hex(6)}"
        self._fetch(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database and end the connections to it."""
        self._fetch(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def database_exists(self, name: str) -> bool:
        """Whether the server has a database of this name."""
        return bool(self._fetch("SELECT 1 FROM pg_database WHERE datname = $1", name))

    def execute(self, statements: str, name: str) -> None:
        """Run statements in a database, all of them or none."""
        wait_for(self._execute_in(name, statements))

    async def _execute_in(self, name: str, statements: str) -> None:
        async with self._connected(self._server.set(database=name)) as connection:
            await connection.execute(statements)

    def _fetch(self, statement: str, *arguments: Any) -> list[Any]:
        return wait_for(self._fetch_async(statement, *arguments))

    async def _fetch_async(self, statement: str, *arguments: Any) -> list[Any]:
        async with self._connected(self._server) as connection:
            return await connection.fetch(statement, *arguments)

    @asynccontextmanager
    async def _connected(self, server: URL) -> AsyncIterator[asyncpg.Connection]:
        dsn = server.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


class PostgresServer(PostgresDatabases):
    """A server of our own: one data directory, one loopback port and one password, all kept in `home`."""

    def __init__(self, home: Path, *, durable: bool = True, binaries: Path | None = None) -> None:
        """Nothing starts yet. `durable=False` turns fsync off. Raises Unavailable when PostgreSQL is not found."""
        self._durable = durable
        self._user = unprivileged_user()
        self._home = reachable_home(home, self._user)
        self._binaries = reachable_binaries(binaries or find_binaries(), self._home, self._user)
        self._data = self._home / "data"
        self._server_process = ServerProcess(self._home, "postgres", self._user)
        self.port, self._password = self._access(self._home / "access")
        url = URL.create("postgresql", ADMIN, self._password, "127.0.0.1", self.port, "postgres")
        super().__init__(url, version(self._binaries))

    @property
    def process(self) -> ServerProcess:
        """The server's process."""
        return self._server_process

    @property
    def running(self) -> bool:
        """Whether the server process lives (paused counts)."""
        return self._server_process.process is not None

    def start(self) -> None:
        """Start and return when it answers a query; does nothing when it runs already. Raises NotReady."""
        if self.running:
            return
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "autovacuum": "on" if self._durable else "off",  # rows keep the order in which a test wrote them
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        self._server_process.start([self._binaries / "postgres", "-D", self._data, *settings], {"LC_ALL": "C"})
        self._server_process.wait_until(self._answers, START_SECONDS)

    def stop(self) -> None:
        """End it as `pg_ctl stop -m fast` does: connections are closed, the data is kept."""
        self._server_process.end(signal.SIGINT)

    def kill(self) -> None:
        """Crash it (immediate shutdown): what was committed survives by the write-ahead log."""
        self._server_process.end(signal.SIGQUIT)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers, as when a host hangs."""
        self._server_process.signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._server_process.signal_all(signal.SIGCONT)

    def _access(self, file: Path) -> tuple[int, str]:
        """Port and password, chosen once; another port only where somebody else has taken it while we were down."""
        port, password = file.read_text().split() if file.exists() else (free_port(), secrets.token_urlsafe(24))
        if not self.running and not is_free(int(port)):
            port = free_port()
        file.touch(mode=0o600)
        file.write_text(f"{port} {password}")
        return int(port), password

    def _initialise(self) -> None:
        unfinished = self._home / "data.new"  # renamed when complete: an interrupted attempt leaves no half of it
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self._home / "initial-password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if self._user is not None:
            shutil.chown(password_file, self._user)
        access = ["-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password_file}"]
        options = [*access, "--encoding=UTF8", "--locale=C", *([] if self._durable else ["--no-sync"])]
        command = [str(self._binaries / "initdb"), "-D", str(unfinished), *options]
        done = subprocess.run(command, cwd=self._home, capture_output=True, text=True, **as_user(self._user))
        password_file.unlink()
        if done.returncode != 0:
            raise Unavailable(f"initdb failed: {done.stderr.strip()[-600:]}")
        unfinished.rename(self._data)

    def _answers(self) -> bool:
        try:
            return bool(self._fetch("SELECT 1"))
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False


def named_server(url: str) -> PostgresDatabases:
    """The running server of `CLOSELOOP_TEST_POSTGRES`, where we may create databases."""
    server = make_url(url.replace("postgres://", "postgresql://", 1))
    return PostgresDatabases(server, f"PostgreSQL at {server.host}:{server.port or 5432}")
