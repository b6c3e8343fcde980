"""One Kafka broker process in a home directory, with a fixed port, that tests may pause, stop and start again."""

import signal
from abc import ABC, abstractmethod
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.support.blocking import wait_for
from tests.support.processes import ServerProcess, accepts_tcp, free_port, is_free

START_SECONDS = 90


class KafkaServer(ABC):
    """A broker on loopback whose port stays the same over stop and start."""

    description: str
    durable: bool
    """Whether topics, records and offsets survive stop and start."""

    def __init__(self, home: Path) -> None:
        """Nothing starts yet; ports and data of an earlier start in `home` are kept."""
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.process = ServerProcess(home, "kafka")
        self.port, self.controller_port = self._ports(home / "ports")

    @property
    def bootstrap(self) -> str:
        """What clients connect to: `host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the broker process lives (paused counts)."""
        return self.process.process is not None

    def client_environment(self) -> dict[str, str]:
        """Environment variables that clients in other processes need to work with this broker."""
        return {}

    def start(self) -> None:
        """Start and return when it serves requests; does nothing when it runs already. Raises NotReady."""
        if not self.running:
            self._launch()
            self.process.wait_until(self._serves, START_SECONDS)

    def stop(self) -> None:
        """End it in an orderly way."""
        self.process.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut of the process would; a durable broker keeps what it acknowledged."""
        self.process.end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers, as when a host hangs."""
        self.process.signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self.process.signal_all(signal.SIGCONT)

    def _ports(self, file: Path) -> tuple[int, int]:
        """The ports chosen once; others only where somebody else has taken them while we were down."""
        ports = [int(port) for port in file.read_text().split()] if file.exists() else [free_port(), free_port()]
        if not self.running:
            ports = [port if is_free(port) else free_port() for port in ports]
        file.write_text(" ".join(map(str, ports)))
        return ports[0], ports[1]

    @abstractmethod
    def _launch(self) -> None: ...

    def _serves(self) -> bool:
        return accepts_tcp(self.port) and wait_for(_answers(self.bootstrap))


async def _answers(bootstrap: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await client.start()
        await client.list_topics()
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
    return True
