"""Apache Kafka in KRaft mode: one node that is broker and controller, small enough for a test machine."""

import secrets
import subprocess
from pathlib import Path

from tests.support.kafka.broker import KafkaServer
from tests.support.processes import NotReady

# Small buffers and few internal partitions: a start within seconds, and little memory.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "broker.session.timeout.ms": "3000",  # after a kill the broker registers again only when this has passed
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "log.segment.bytes": str(16 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}
JVM = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC"]
LOGGING = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]


class ApacheKafka(KafkaServer):
    """The real thing, from the jars of `libraries`."""

    durable = True

    def __init__(self, home: Path, libraries: Path) -> None:
        super().__init__(home)
        self._libraries = libraries
        jar = next(libraries.glob("kafka_2*.jar"))
        self.description = f"Apache Kafka {jar.stem.rpartition('-')[2]}"

    def _launch(self) -> None:
        properties, data = self.home / "server.properties", self.home / "data"
        settings = SETTINGS | {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(data),
        }
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        if not (data / "meta.properties").exists():
            self._format(properties)
        self.process.start(self._java(*JVM, *LOGGING, "kafka.Kafka", str(properties)))

    def _format(self, properties: Path) -> None:
        cluster = secrets.token_urlsafe(16)
        while cluster.startswith("-"):  # the tool would take it for an option
            cluster = secrets.token_urlsafe(16)
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        done = subprocess.run(self._java("-XX:TieredStopAtLevel=1", *tool), capture_output=True, text=True)
        if done.returncode != 0:
            raise NotReady(f"Kafka's storage could not be formatted: {done.stderr.strip()[-600:]}")

    def _java(self, *arguments: str) -> list[str]:
        options = [argument for argument in arguments if argument.startswith("-X") or argument.startswith("-D")]
        rest = [argument for argument in arguments if argument not in options]
        return ["java", *options, "-cp", f"{self._libraries}/*", *rest]
