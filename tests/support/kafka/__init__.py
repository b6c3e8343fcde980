"""A Kafka broker for the tests: Apache Kafka, or Tansu where it cannot be had."""

from collections.abc import Callable
from pathlib import Path

from tests.support.kafka.apache import ApacheKafka
from tests.support.kafka.broker import KafkaServer
from tests.support.kafka.libraries import kafka_libraries
from tests.support.kafka.tansu import Tansu
from tests.support.processes import Unavailable

__all__ = ["ApacheKafka", "KafkaServer", "Tansu", "kafka_libraries", "kafka_server"]


def kafka_server(home: Path, say: Callable[[str], None] = print) -> KafkaServer:
    """A broker in `home`, not started yet; `say` tells what takes time. Raises Unavailable when none can be had."""
    try:
        return ApacheKafka(home, kafka_libraries(say))
    except Unavailable as without_java:
        try:
            stand_in = Tansu(home)
        except Unavailable as without_wheel:
            raise Unavailable(f"{without_java}; {without_wheel}") from without_wheel
        say(f"{without_java}: {stand_in.description}")
        return stand_in
