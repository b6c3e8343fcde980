"""Every event there is: its type, version, topic and data. Adding a field is allowed; changing one is a new version."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from shared import ids
from shared.bus.base import Topic
from shared.events.envelope import Event, encode_json

FEEDBACK_THIN = Topic("feedback.thin", retention=timedelta(days=30))
FEEDBACK_OVERDUE = Topic("feedback.overdue", retention=timedelta(days=30))
FEEDBACK_RECEIVED = Topic("feedback.received", retention=timedelta(days=30))
TICKETS_CHANGED = Topic("tickets.changed", retention=timedelta(days=30))
ACCOUNTS_UPDATED = Topic("accounts.updated", compacted=True)
FEEDBACK_SCORED = Topic("feedback.scored", retention=timedelta(days=30))
CASES_CHANGED = Topic("cases.changed", retention=timedelta(days=90))
SOURCES_HEARD = Topic("sources.heard", partitions=1, retention=timedelta(days=7))
TOPICS = (
    FEEDBACK_THIN,
    FEEDBACK_OVERDUE,
    FEEDBACK_RECEIVED,
    TICKETS_CHANGED,
    ACCOUNTS_UPDATED,
    FEEDBACK_SCORED,
    CASES_CHANGED,
    SOURCES_HEARD,
)


def dead(topic: str) -> Topic:
    """The dead-letter topic of a topic; kept long enough for a person to look after a holiday."""
    return Topic(f"{topic}.dead", partitions=1, retention=timedelta(days=90))


def all_topics() -> tuple[Topic, ...]:
    """Every topic of the catalogue with its dead-letter topic."""
    return (*TOPICS, *(dead(topic.name) for topic in TOPICS))


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor told of a survey's answer or of a ticket. `unique_id` identifies the delivery, `record_id` the
    response or ticket. Only answers have a metric other than "none", and scores."""

    source: str
    unique_id: str
    record_id: str
    received_at: datetime
    metric: str = "none"
    raw_score: Any = None
    raw_scale: dict[str, Any] | None = None
    normalised_score: float | int | None = None
    comment: str | None = None
    ticket_id: str | None = None
    ticket_status: str | None = None
    subject: str | None = None
    ticket_url: str | None = None
    requester_email: str | None = None
    requester_name: str | None = None
    account_hint: dict[str, Any] = {}
    assignee: dict[str, Any] | None = None
    occurred_at: datetime | None = None


class SurveyResponded(Told, frozen=True, kw_only=True):
    """One answer. `normalised_score` is CSAT 1-5, NPS 0-10 or CES 1-7 (higher is better); `metric` "none" is a thin
    event whose score must still be fetched. `record_key` is what a response is known by where its `record_id` may
    differ: of webhook and API, or of an earlier delivery. `detected_by` is "webhook", or "reconciler" where the
    vendor's API was asked and no webhook had come."""

    TYPE: ClassVar[str] = "closeloop.survey.responded"

    survey_id: str | None = None
    withdrawn: bool = False
    detected_by: str = "webhook"
    record_key: str | None = None
    version: int = 1

    @property
    def key(self) -> str:
        """What the response is revised by, within its source."""
        return self.record_key or self.record_id

    @property
    def is_thin(self) -> bool:
        """Whether its score must still be fetched."""
        return self.metric == "none" and not self.withdrawn


class TicketChanged(Told, frozen=True, kw_only=True):
    """A ticket as the helpdesk told it. `ticket_status`: new open pending solved closed merged deleted. `window` is of
    vendors that send neither id nor time: what they say again in another window is another event. `replied_at` is
    when our side replied in public, or called, where the event tells of that; `replied_by` who (e-mail or name)."""

    TYPE: ClassVar[str] = "closeloop.ticket.changed"

    window: str | None = None
    replied_at: datetime | None = None
    replied_by: str | None = None
    version: int = 1


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    name: str | None = None
    role: str = "other"


class AccountUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """The account record, whole. `arr` in units of `currency` a year; `deleted` marks its end."""

    TYPE: ClassVar[str] = "closeloop.account.updated"

    id: str
    changed_at: datetime
    name: str = ""
    domains: list[str] = []
    tier: str | None = None
    segment: str | None = None
    arr: float | None = None
    currency: str | None = None
    renewal_date: str | None = None
    csm: str | None = None
    csm_manager: str | None = None
    support_lead: str | None = None
    aliases: dict[str, list[str]] = {}
    contacts: list[Contact] = []
    deleted: bool = False
    version: int = 1


class Reason(msgspec.Struct, frozen=True):
    """Why a response was flagged: the rule's name and the sentence shown to people."""

    rule: str
    words: str


class FeedbackScored(msgspec.Struct, frozen=True, kw_only=True):
    """A response with its verdict. `late` means flagged but too old to alert as new ([flag] ignore_older_than)."""

    TYPE: ClassVar[str] = "closeloop.feedback.scored"

    response: SurveyResponded
    flagged: bool
    late: bool
    reasons: list[Reason]
    policy_version: str
    scored_at: datetime
    version: int = 1


class CaseChanged(msgspec.Struct, frozen=True, kw_only=True):
    """One journal entry made public, with the head hash as a witness (G10). No free text."""

    TYPE: ClassVar[str] = "closeloop.case.changed"

    case_id: str
    seq: int
    at: datetime
    actor: str
    change: str
    data: dict[str, Any]
    hash: str
    status: str
    severity: str
    owner: str
    account_id: str | None
    version: int = 1


class SourceHeard(msgspec.Struct, frozen=True, kw_only=True):
    """What one ingest process heard of a source within one minute, since it last said so; every number is to be
    added. `ignored`, `rejected` and `api` count by reason; lag is from the vendor's time to ours. `about` describes
    the source as it is set up: `credentials`, `reconciles`, `rule` (the vendor's own), `switch_on`, `trouble`."""

    TYPE: ClassVar[str] = "closeloop.source.heard"

    source: str
    instance: str
    seq: int
    at: datetime
    minute: datetime
    accepted: int = 0
    ignored: dict[str, int] = {}
    rejected: dict[str, int] = {}
    api: dict[str, int] = {}
    lag_total_s: float = 0.0
    lag_count: int = 0
    lag_max_s: float = 0.0
    about: dict[str, Any] = {}
    version: int = 1


def survey_responded(data: SurveyResponded, topic: Topic = FEEDBACK_RECEIVED) -> Event:
    """`topic` is FEEDBACK_THIN for what is to be enriched first, FEEDBACK_OVERDUE for what could not be in time."""
    return _event(topic, data, data.unique_id, f"{data.source}:{data.key}")


def source_heard(data: SourceHeard) -> Event:
    return Event(
        id=ids.derive(SourceHeard.TYPE, data.source, data.instance, str(data.seq)),
        type=SourceHeard.TYPE,
        source=f"closeloop/ingest/{data.source}",
        time=data.at,
        topic=SOURCES_HEARD.name,
        key=data.source,
        data=encode_json(data),
    )


def ticket_changed(data: TicketChanged, topic: Topic = TICKETS_CHANGED) -> Event:
    """`topic` is FEEDBACK_THIN for what is to be enriched first."""
    delivery = data.unique_id if data.window is None else f"{data.unique_id}@{data.window}"
    return _event(topic, data, delivery, f"{data.source}:{data.record_id}")


def feedback_scored(data: FeedbackScored, of_event: str) -> Event:
    """`of_event` is the id of the survey event that was scored: scoring it again gives the same id (G3)."""
    answer = data.response
    return Event(
        id=ids.derive(FeedbackScored.TYPE, of_event),
        type=FeedbackScored.TYPE,
        source="closeloop/scoring",
        time=data.scored_at,
        topic=FEEDBACK_SCORED.name,
        key=f"{answer.source}:{answer.key}",
        data=encode_json(data),
    )


def account_updated(data: AccountUpdated) -> Event:
    return Event(
        id=ids.derive(AccountUpdated.TYPE, data.id, data.changed_at.isoformat()),
        type=AccountUpdated.TYPE,
        source="closeloop/ingest",
        time=data.changed_at,
        topic=ACCOUNTS_UPDATED.name,
        key=data.id,
        data=encode_json(data),
    )


def case_changed(data: CaseChanged) -> Event:
    return Event(
        id=ids.derive(CaseChanged.TYPE, data.case_id, str(data.seq)),
        type=CaseChanged.TYPE,
        source="closeloop/router",
        time=data.at,
        topic=CASES_CHANGED.name,
        key=data.case_id,
        data=encode_json(data),
    )


def _event(topic: Topic, data: SurveyResponded | TicketChanged, unique_id: str, key: str) -> Event:
    return Event(
        id=ids.derive(data.TYPE, data.source, unique_id, data.record_id),
        type=data.TYPE,
        source=f"closeloop/ingest/{data.source}",
        time=data.received_at,
        topic=topic.name,
        key=key,
        data=encode_json(data),
    )
