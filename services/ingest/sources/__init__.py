"""Every webhook source there is. A new one is one module here and one line in SOURCES."""

from collections.abc import Mapping
from typing import Any

from services.ingest.sources import (
    asknicely,
    chatwoot,
    delighted,
    formbricks,
    freshdesk,
    front,
    gorgias,
    helpscout,
    hmac,
    hubspot,
    intercom,
    jira,
    mapped,
    qualtrics,
    retently,
    salesforce,
    standard,
    surveymonkey,
    typeform,
    zammad,
    zendesk,
)
from services.ingest.sources.base import Source
from shared.errors import ConfigurationError

SOURCES: tuple[Source, ...] = (
    zendesk.SOURCE,
    intercom.SOURCE,
    delighted.SOURCE,
    standard.SOURCE,
    hmac.SOURCE,
    chatwoot.SOURCE,
    helpscout.SOURCE,
    freshdesk.SOURCE,
    typeform.SOURCE,
    gorgias.SOURCE,
    hubspot.SOURCE,
    jira.SOURCE,
    front.SOURCE,
    zammad.SOURCE,
    salesforce.SOURCE,
    surveymonkey.SOURCE,
    qualtrics.SOURCE,
    formbricks.SOURCE,
    asknicely.SOURCE,
    retently.SOURCE,
    mapped.SOURCE,
)
BY_NAME = {source.name: source for source in SOURCES}


def sources_of(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Source]:
    """By name: every source, and the mapped ones of `[sources.<name>]` with `kind = "mapped"`.

    Raises ConfigurationError for a name that no address can have, or that another source has."""
    found = dict(BY_NAME)
    for name, table in tables.items():
        if table.get("kind") != mapped.NAME or name == mapped.NAME:
            continue
        if name in BY_NAME or name == "events":
            raise ConfigurationError(f"sources.{name}.kind: {name} is a source already; give yours another name")
        try:
            found[name] = mapped.named(name)
        except ValueError as wrong:
            raise ConfigurationError(f"sources.{name}: {wrong}") from wrong
    return found
