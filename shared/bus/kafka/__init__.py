"""The bus on Kafka; the only place that knows aiokafka."""

from shared.bus.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
