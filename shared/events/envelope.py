"""CloudEvents 1.0 in Kafka's binary content mode: `ce_*` headers beside JSON data."""

from datetime import datetime
from typing import Any

import msgspec

from shared.errors import PoisonError

_SPEC_VERSION = b"1.0"
_JSON = b"application/json"

encode_json = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """One event on its way. `data` is JSON text; `key` orders events of one thing; `time` is UTC."""

    id: str
    type: str
    source: str
    time: datetime
    topic: str
    key: str
    data: bytes | None


class Record(msgspec.Struct, frozen=True):
    """What is handed to the log. A `None` value is a tombstone on a compacted topic."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Message(msgspec.Struct, frozen=True):
    """What the log hands out: a record with its place."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    time: datetime

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name:
                return value.decode("utf-8", "replace")
        return None


def to_record(event: Event) -> Record:
    return Record(
        topic=event.topic,
        key=event.key.encode(),
        value=event.data,
        headers=(
            ("ce_specversion", _SPEC_VERSION),
            ("ce_id", event.id.encode()),
            ("ce_type", event.type.encode()),
            ("ce_source", event.source.encode()),
            ("ce_time", event.time.isoformat().encode()),
            ("content-type", _JSON),
        ),
    )


def from_message(message: Message) -> Event:
    """Raises PoisonError, with the reason in words, when a header is missing or malformed."""
    headers = dict(message.headers)
    try:
        return Event(
            id=headers["ce_id"].decode(),
            type=headers["ce_type"].decode(),
            source=headers["ce_source"].decode(),
            time=datetime.fromisoformat(headers["ce_time"].decode()),
            topic=message.topic,
            key=message.key.decode(),
            data=message.value,
        )
    except KeyError as missing:
        raise PoisonError(f"not a CloudEvent: header {missing} is missing") from missing
    except ValueError as wrong:
        raise PoisonError(f"not a CloudEvent: {wrong}") from wrong


def decode_data(event: Event, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """The event's data as the decoder's type. Raises PoisonError naming the field."""
    try:
        return decoder.decode(event.data or b"")
    except msgspec.DecodeError as wrong:
        raise PoisonError(f"{event.type}: {wrong}") from wrong
