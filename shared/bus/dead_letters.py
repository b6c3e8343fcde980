"""Dead letters: what can never be handled is kept with its reason, can be listed, and can be replayed."""

from datetime import datetime

import msgspec

from shared import ids
from shared.bus.base import Bus
from shared.errors import LONGEST_REASON, ConfigurationError
from shared.events.catalog import TOPICS, dead
from shared.events.envelope import Message, Record

MESSAGE = "message"
WEBHOOK = "webhook"
_PREFIX = "dl_"

Headers = tuple[tuple[str, bytes], ...]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`topic` is where it was to be read, or for a raw webhook the topic of what it would have become. `kind` is
    "message" or "webhook"; `source` the webhook's. `headers` are those of the original; `message` is the letter as it
    lies in the dead-letter topic."""

    id: str
    topic: str
    reason: str
    at: datetime
    kind: str = MESSAGE
    group: str | None = None
    partition: int | None = None
    offset: int | None = None
    source: str | None = None
    key: bytes
    value: bytes | None
    headers: Headers = ()
    message: Message
    replayed_at: datetime | None = None


def of_message(message: Message, *, group: str, reason: str, at: datetime) -> Record:
    """The letter of a message a group cannot handle. The same message gives the same `dl_id`."""
    place = (message.topic, str(message.partition), str(message.offset), message.time.isoformat())
    headers = {
        "dl_id": ids.derive("dead-letter", group, *place),
        "dl_kind": MESSAGE,
        "dl_reason": reason,
        "dl_at": at.isoformat(),
        "dl_topic": message.topic,
        "dl_partition": str(message.partition),
        "dl_offset": str(message.offset),
        "dl_group": group,
    }
    return Record(
        dead(message.topic).name, message.key, message.value, _without_ours(message.headers) + _encode(headers)
    )


def of_webhook(
    *, topic: str, source: str, body: bytes, headers: Headers, reason: str, at: datetime, letter_id: str
) -> Record:
    """The letter of a raw delivery that was authentic but could not be translated; `headers` are the vendor's that
    are needed to translate it again, without its signature or secret."""
    ours = {
        "dl_id": letter_id,
        "dl_kind": WEBHOOK,
        "dl_reason": reason[:LONGEST_REASON],
        "dl_at": at.isoformat(),
        "dl_topic": topic,
        "dl_source": source,
    }
    return Record(dead(topic).name, letter_id.encode(), body, _without_ours(headers) + _encode(ours))


def parse(message: Message) -> DeadLetter | None:
    """The letter in a message of a dead-letter topic; None for what is not one, such as the mark of a replay."""
    ours = {name: value.decode("utf-8", "replace") for name, value in message.headers if name.startswith(_PREFIX)}
    if "dl_id" not in ours:
        return None
    return DeadLetter(
        id=ours["dl_id"],
        topic=ours.get("dl_topic", message.topic.removesuffix(".dead")),
        reason=ours.get("dl_reason", ""),
        at=datetime.fromisoformat(ours["dl_at"]) if "dl_at" in ours else message.time,
        kind=ours.get("dl_kind", MESSAGE),
        group=ours.get("dl_group"),
        partition=int(ours["dl_partition"]) if "dl_partition" in ours else None,
        offset=int(ours["dl_offset"]) if "dl_offset" in ours else None,
        source=ours.get("dl_source"),
        key=message.key,
        value=message.value,
        headers=_without_ours(message.headers),
        message=message,
    )


async def list_dead(bus: Bus, topic: str | None = None) -> list[DeadLetter]:
    """The letters of one topic, or of all, oldest first, each once; `replayed_at` says when one was replayed last."""
    letters: dict[str, DeadLetter] = {}
    replayed: dict[str, datetime] = {}
    for name in [topic] if topic else [known.name for known in TOPICS]:
        async for message in bus.scan(dead(name).name):
            if letter := parse(message):
                letters.setdefault(letter.id, letter)
            elif mark := message.header("dl_replayed"):
                replayed[mark] = message.time
    marked = [msgspec.structs.replace(letter, replayed_at=replayed.get(letter.id)) for letter in letters.values()]
    return sorted(marked, key=lambda letter: letter.at)


async def find(bus: Bus, letter_id: str) -> DeadLetter | None:
    """A letter by its id, or by the start of it when that is unambiguous."""
    found = [letter for letter in await list_dead(bus) if letter.id.startswith(letter_id)]
    return found[0] if len(found) == 1 else None


async def replay(bus: Bus, letter: DeadLetter) -> None:
    """Publish the original message again. Its event id is the old one, so that twice does no more than once (G2).
    Raises BusUnavailable, and ConfigurationError for a raw webhook, which ingest must translate first."""
    if letter.kind != MESSAGE:
        raise ConfigurationError(f"dead letter {letter.id} is a raw {letter.kind}: its source must translate it")
    await bus.publish([Record(letter.topic, letter.key, letter.value, letter.headers)])
    await mark_replayed(bus, letter)


async def mark_replayed(bus: Bus, letter: DeadLetter) -> None:
    """Let `list_dead` say that it was replayed. Called last: a crash before leaves it listed as it was."""
    await bus.publish([Record(dead(letter.topic).name, letter.key, b"", _encode({"dl_replayed": letter.id}))])


def _without_ours(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if not name.startswith(_PREFIX))


def _encode(headers: dict[str, str]) -> Headers:
    return tuple((name, value.encode()) for name, value in headers.items())
