"""`make services`: the tests' PostgreSQL and Kafka as lasting servers, for trying the distributed mode by hand."""

import argparse
import shlex
import signal
import sys
import time
from pathlib import Path

from tests.support.kafka import KafkaServer, kafka_server
from tests.support.postgres import PostgresServer
from tests.support.processes import CHECKOUT, NotReady, ServerProcess, Unavailable, exclusive

DATABASE = "closeloop"


class Services:
    """Both servers under one directory; their data stays there over stop and start."""

    def __init__(self, directory: Path) -> None:
        self.lock = directory / "services.lock"
        self._environment = directory / "services.env"
        self._pids = directory / "services.pids"
        self._postgres_home, self._kafka_home = directory / "postgres", directory / "kafka-data"

    def start(self) -> None:
        """Start what does not run yet and return when both accept. Raises Unavailable or NotReady."""
        if all(process.process for process in self._processes().values()):
            say("Already running, nothing changed:")
            return self.status()
        postgres = PostgresServer(self._postgres_home)
        begin(postgres)
        if not postgres.database_exists(DATABASE):
            postgres.create_database(DATABASE)
        kafka = kafka_server(self._kafka_home, say)
        begin(kafka)
        self._write_environment(postgres, kafka)
        say(f"Both accept. Use them with:  set -a; . {self._environment}; set +a")

    def stop(self) -> None:
        """End the servers that `start` started, and no other process; their data stays."""
        for name, process in self._processes().items():
            if process.process is None:
                say(f"{name} is not running")
                continue
            process.end(signal.SIGINT)  # PostgreSQL: fast shutdown; Kafka and Tansu: an orderly one
            say(f"{name} ended")
        self._environment.unlink(missing_ok=True)
        self._pids.unlink(missing_ok=True)

    def status(self) -> None:
        """Say which server runs under which pid, and where its log is."""
        for name, process in self._processes().items():
            found = process.process
            say(f"{name}: {f'running, pid {found.pid}' if found else 'not running'}, log {process.log}")

    def _processes(self) -> dict[str, ServerProcess]:
        return {
            "postgres": ServerProcess(self._postgres_home.resolve(), "postgres"),
            "kafka": ServerProcess(self._kafka_home, "kafka"),
        }

    def _write_environment(self, postgres: PostgresServer, kafka: KafkaServer) -> None:
        """Write the settings, readable by us alone as they hold a password, and the pids, for people."""
        settings = {
            "CLOSELOOP_DATABASE__URL": postgres.url(DATABASE),
            "CLOSELOOP_BUS__URL": f"kafka://{kafka.bootstrap}",
            **kafka.client_environment(),
        }
        self._environment.touch(mode=0o600)
        self._environment.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        running = {name: found for name, process in self._processes().items() if (found := process.process)}
        self._pids.write_text("".join(f"{name} {found.pid}\n" for name, found in running.items()))


def begin(server: PostgresServer | KafkaServer) -> None:
    """Start one server and say what it is and how long it took."""
    say(f"Starting {server.description} on 127.0.0.1:{server.port} ...")
    started = time.monotonic()
    server.start()
    say(f"  accepts after {time.monotonic() - started:.1f} s")


def say(line: str) -> None:
    """One line of progress, at once even when piped."""
    print(line, flush=True)


def main() -> None:
    """Run the command named on the command line; exit status 1 with the reason when it fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.services", description=__doc__)
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--directory", type=Path, default=CHECKOUT / "var", help="where data, logs and settings go")
    arguments = parser.parse_args()
    services = Services(arguments.directory.absolute())
    try:
        with exclusive(services.lock):
            getattr(services, arguments.command)()
    except (Unavailable, NotReady) as failure:
        sys.exit(f"{type(failure).__name__}: {failure}")


if __name__ == "__main__":
    main()
