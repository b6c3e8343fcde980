"""Every webhook source there is. A new one is one module here and one line in SOURCES."""

from services.ingest.sources import delighted, hmac, intercom, standard, zendesk
from services.ingest.sources.base import Source

SOURCES: tuple[Source, ...] = (
    zendesk.SOURCE,
    intercom.SOURCE,
    delighted.SOURCE,
    standard.SOURCE,
    hmac.SOURCE,
)
BY_NAME = {source.name: source for source in SOURCES}
