"""The protocol of a webhook source: what it is given, what it gives back, and how it refuses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from services.ingest.signatures import InvalidSignature
from shared.events.catalog import SurveyResponded, TicketChanged

__all__ = [
    "Content",
    "InvalidSignature",
    "Outcome",
    "Rejected",
    "Source",
    "Translation",
    "Unprocessable",
    "WebhookRequest",
]

Options = Mapping[str, Any]
Secrets = Sequence[str]
Feedback = SurveyResponded | TicketChanged


class Unprocessable(Exception):
    """The body can not be translated; the text says which part is wrong and carries no customer text."""


class Outcome(StrEnum):
    ACCEPT = "accept"
    ACCEPT_ENRICH = "accept_enrich"
    IGNORE = "ignore"
    HANDSHAKE = "handshake"


class Content(StrEnum):
    """What a source's bodies are written in."""

    JSON = "json"
    FORM = "form"
    XML = "xml"


class WebhookRequest(msgspec.Struct, frozen=True, gc=False):
    """A delivery. `url` is the public one as called, with its query; header names are lower-case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]


class Rejected(NamedTuple):
    """One element of a batch that could not be translated, as it would have to be sent again."""

    position: int
    reason: str
    body: bytes
    content_type: str


class Answer(NamedTuple):
    """The body a vendor wants to read back instead of ours."""

    body: bytes
    content_type: str


class Translation(msgspec.Struct, frozen=True):
    """What a delivery means. `reason` says why nothing, or less than was sent, is taken."""

    outcome: Outcome
    events: Sequence[Feedback] = ()
    reason: str | None = None
    rejected: Sequence[Rejected] = ()
    answer: Answer | None = None


def accept(*events: Feedback) -> Translation:
    return Translation(Outcome.ACCEPT, events)


def ignore(reason: str) -> Translation:
    return Translation(Outcome.IGNORE, reason=reason)


def handshake(reason: str, answer: Answer | None = None) -> Translation:
    return Translation(Outcome.HANDSHAKE, reason=reason, answer=answer)


Verify = Callable[[WebhookRequest, Secrets, Options, datetime], None]
Translate = Callable[[WebhookRequest, Options, datetime], Translation]
ParseOption = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One vendor. `verify` raises InvalidSignature; `translate` raises Unprocessable; both are pure.

    `signature_headers` are those whose presence means "signed" (see `authentication.py`). `keeps` are the headers
    that translating needs, kept with a dead letter. `options` are the keys of `[sources.<name>]` beyond those that
    every source has, each with its parser (ValueError when malformed). `answer` replaces our 202 where the vendor
    insists on its own acknowledgement; it goes out as 200. `unproven` says what of the options does not hold (worked
    examples, for one): such a source does not go live.
    """

    name: str
    verify: Verify
    translate: Translate
    content: Content = Content.JSON
    signature_headers: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    options: Mapping[str, ParseOption] = field(default_factory=dict)
    answer: Answer | None = None
    unproven: Callable[[Options], Sequence[str]] = lambda options: ()
