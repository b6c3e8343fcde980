"""How big a record may be, so that both buses refuse the same ones."""

from shared.bus.base import MAX_MESSAGE_BYTES
from shared.errors import PoisonError
from shared.events.envelope import Record

HEADROOM_BYTES = 64 * 1024
"""What brokers and topics allow beyond MAX_MESSAGE_BYTES: headers, framing, and the reasons of dead letters."""


class RecordTooLarge(PoisonError):
    """Key and value together are over MAX_MESSAGE_BYTES."""


def check_size(record: Record) -> None:
    """Raises RecordTooLarge."""
    size = len(record.key) + len(record.value or b"")
    if size > MAX_MESSAGE_BYTES:
        raise RecordTooLarge(f"a record of {size} bytes is over the limit of {MAX_MESSAGE_BYTES}")
