"""`make services`: the tests' PostgreSQL and Kafka as lasting servers, for trying the distributed mode by hand.

Their data stays in var/ over stop and start; settings for the services are written to var/services.env.
"""

import argparse
import shlex
import signal
import sys
import time

from tests.support.kafka import KafkaServer, kafka_server
from tests.support.postgres import PostgresServer
from tests.support.processes import CHECKOUT, NotReady, ServerProcess, Unavailable, exclusive

VAR = CHECKOUT / "var"
POSTGRES, KAFKA = VAR / "postgres", VAR / "kafka-data"
ENVIRONMENT, PIDS = VAR / "services.env", VAR / "services.pids"
DATABASE = "closeloop"


def start() -> None:
    """Start what does not run yet and return when both accept. Raises Unavailable or NotReady."""
    if all(process.process for process in processes().values()):
        say("Already running, nothing changed:")
        return status()
    postgres = PostgresServer(POSTGRES)
    begin(postgres)
    if not postgres.database_exists(DATABASE):
        postgres.create_database(DATABASE)
    kafka = kafka_server(KAFKA, say)
    begin(kafka)
    write_environment(postgres, kafka)
    say(f"Both accept. Use them with:  set -a; . {ENVIRONMENT.relative_to(CHECKOUT)}; set +a")


def begin(server: PostgresServer | KafkaServer) -> None:
    """Start one server and say what it is and how long it took."""
    say(f"Starting {server.description} on 127.0.0.1:{server.port} ...")
    started = time.monotonic()
    server.start()
    say(f"  accepts after {time.monotonic() - started:.1f} s")


def write_environment(postgres: PostgresServer, kafka: KafkaServer) -> None:
    """Write the settings, readable by us alone as they hold a password, and the pids, for people."""
    settings = {
        "CLOSELOOP_DATABASE__URL": postgres.url(DATABASE),
        "CLOSELOOP_BUS__URL": f"kafka://{kafka.bootstrap}",
        **kafka.client_environment(),
    }
    ENVIRONMENT.touch(mode=0o600)
    ENVIRONMENT.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
    running = {name: found for name, process in processes().items() if (found := process.process)}
    PIDS.write_text("".join(f"{name} {found.pid}\n" for name, found in running.items()))


def stop() -> None:
    """End the servers that `start` started, and no other process; their data stays."""
    for name, process in processes().items():
        if process.process is None:
            say(f"{name} is not running")
            continue
        process.end(signal.SIGINT)  # PostgreSQL: fast shutdown; Kafka and Tansu: an orderly one
        say(f"{name} ended, its data stays in var/")
    ENVIRONMENT.unlink(missing_ok=True)
    PIDS.unlink(missing_ok=True)


def status() -> None:
    """Say which server runs under which pid, and where its log is."""
    for name, process in processes().items():
        found = process.process
        say(f"{name}: {f'running, pid {found.pid}' if found else 'not running'}, log {process.log}")


def processes() -> dict[str, ServerProcess]:
    """The processes by name, whether they run or not."""
    return {"postgres": ServerProcess(POSTGRES.resolve(), "postgres"), "kafka": ServerProcess(KAFKA, "kafka")}


def say(line: str) -> None:
    """One line of progress, at once even when piped."""
    print(line, flush=True)


def main() -> None:
    """Run the command named on the command line; exit status 1 with the reason when it fails."""
    commands = {"start": start, "stop": stop, "status": status}
    parser = argparse.ArgumentParser(prog="python -m tests.support.services", description=__doc__)
    parser.add_argument("command", choices=commands)
    chosen = commands[parser.parse_args().command]
    try:
        with exclusive(VAR / "services.lock"):
            chosen()
    except (Unavailable, NotReady) as failure:
        sys.exit(f"{type(failure).__name__}: {failure}")


if __name__ == "__main__":
    main()
