"""Help Scout: satisfaction ratings, answers to message surveys, and conversations that changed or were replied to."""

import re
from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import NPS_0_10, OrdinalScale, Score, is_missing, shown
from services.ingest.signatures import HELPSCOUT
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    comment_of,
    email_of,
    from_iso,
    identifier,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
    state_of,
)
from shared.events.catalog import SurveyResponded, TicketChanged

EVENT = "x-helpscout-event"
STATUSES = {"active": "open", "open": "open", "pending": "pending", "closed": "closed", "deleted": "deleted"}
GREAT = OrdinalScale("csat", ("Bad", "Okay", "Great"), (1, 3, 5))
FACES = OrdinalScale("csat", ("Sad", "Neutral", "Happy"), (1, 3, 5))
THUMBS = OrdinalScale("csat", ("thumbs-down", "thumbs-up"), (1, 5))
_WORDS = {
    **{word.lower(): (GREAT, word) for word in GREAT.values},
    "not good": (GREAT, "Bad"),
    **{word.lower(): (FACES, word) for word in FACES.values},
    **{word: (THUMBS, word) for word in THUMBS.values},
    "thumbs up": (THUMBS, "thumbs-up"),
    "thumbs down": (THUMBS, "thumbs-down"),
    "👍": (THUMBS, "thumbs-up"),
    "👎": (THUMBS, "thumbs-down"),
    "😀": (FACES, "Happy"),
    "😐": (FACES, "Neutral"),
    "🙁": (FACES, "Sad"),
}
_SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
_LONGEST_WORD = 40


class _Email(msgspec.Struct):
    value: str | None = None


class _Embedded(msgspec.Struct):
    emails: list[_Email] | None = None


class _Customer(msgspec.Struct):
    id: Identifier | None = None
    firstName: str | None = None
    lastName: str | None = None
    first: str | None = None
    last: str | None = None
    email: str | None = None
    organization: str | None = None
    emails: list[_Email] | None = None
    embedded: _Embedded | None = msgspec.field(default=None, name="_embedded")


class _Mailbox(msgspec.Struct):
    id: Identifier | None = None


class _Rating(msgspec.Struct):
    id: Identifier | None = None
    customer: _Customer | None = None
    ticketId: Identifier | None = None
    threadId: Identifier | None = None
    mailbox: _Mailbox | None = None
    rating: Any = None
    comments: str | None = None
    createdAt: str | None = None
    modifiedAt: str | None = None


class _Link(msgspec.Struct):
    href: str | None = None


class _Thread(msgspec.Struct):
    id: Identifier | None = None
    type: str | None = None
    createdBy: _Customer | None = None
    createdAt: str | None = None


class _Threads(msgspec.Struct):
    threads: list[_Thread] | None = None


class _Conversation(msgspec.Struct):
    """As the Mailbox API has it, and as the pages about webhooks describe it."""

    id: Identifier | None = None
    number: Identifier | None = None
    status: str | None = None
    subject: str | None = None
    mailboxId: Identifier | None = None
    mailbox: _Mailbox | None = None
    assignee: _Customer | None = None
    owner: _Customer | None = None
    primaryCustomer: _Customer | None = None
    customer: _Customer | None = None
    userUpdatedAt: str | None = None
    userModifiedAt: str | None = None
    modifiedAt: str | None = None
    threads: list[_Thread] | int | None = None
    embedded: _Threads | None = msgspec.field(default=None, name="_embedded")
    links: dict[str, _Link | None] | None = msgspec.field(default=None, name="_links")


class _Answer(msgspec.Struct):
    name: str | None = None
    value: Any = None
    category: str | None = None
    comment: str | None = None
    timestamp: str | None = None


class _AnswerEmbedded(msgspec.Struct):
    customer: _Customer | None = None


class _SurveyAnswer(msgspec.Struct):
    response: _Answer | None = None
    embedded: _AnswerEmbedded | None = msgspec.field(default=None, name="_embedded")
    links: dict[str, _Link | None] | None = msgspec.field(default=None, name="_links")


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """https://developer.helpscout.com/webhooks : the event's name is only in a header."""
    event = request.headers.get(EVENT, "")
    document = parse_json(request.body)
    match event:
        case "satisfaction.ratings":
            return _rated(shape(document, _Rating), request.body, received_at)
        case "convo.status":
            return _changed(shape(document, _Conversation), request.body, received_at)
        case "convo.deleted":
            gone = msgspec.structs.replace(shape(document, _Conversation), status="deleted")
            return _changed(gone, request.body, received_at)
        case "convo.agent.reply.created":
            return _replied(shape(document, _Conversation), request.body, received_at)
        case "message.survey.response.received":
            return _answered(shape(document, _SurveyAnswer), request.body, received_at)
        case "":
            raise Unprocessable(f"The header {EVENT} is missing.")
    return ignore(
        "Help Scout events of this kind are not needed; we take ratings, survey answers, convo.status and replies."
    )


def _rated(read: _Rating, body: bytes, received_at: datetime) -> Translation:
    if is_missing(read.rating):
        return ignore("The conversation is not rated.")
    score = _word(read.rating)
    if score is None:
        raise Unprocessable(f"rating: csat {shown(read.rating)} is outside its scale Bad, Okay, Great.")
    record_id = identifier(read.id, "id")
    ticket_id = optional_identifier(read.ticketId, "ticketId")
    mailbox = read.mailbox or _Mailbox()
    when = present(read.modifiedAt) or present(read.createdAt)
    return accept(
        SurveyResponded(
            source="helpscout",
            unique_id=state_of(record_id, when, body),
            record_id=record_id,
            record_key=_thread(ticket_id, read.threadId),
            received_at=received_at,
            comment=comment_of(read.comments),
            ticket_id=ticket_id,
            ticket_url=f"https://secure.helpscout.net/conversation/{ticket_id}" if ticket_id else None,
            occurred_at=from_iso(when, "modifiedAt"),
            **rating.fields(score),
            **_who(read.customer, mailbox_id=optional_identifier(mailbox.id, "mailbox.id")),
        )
    )


def _thread(ticket_id: str | None, thread_id: Identifier | None) -> str | None:
    """The message that was rated: the report of ratings has no ids of theirs."""
    thread = optional_identifier(thread_id, "threadId")
    return f"thread:{ticket_id}:{thread}" if ticket_id and thread else None


def _changed(read: _Conversation, body: bytes, received_at: datetime) -> Translation:
    status = STATUSES.get(read.status or "")
    if status is None:
        return ignore("Conversations of this status (spam) are not needed.")
    unique_id = state_of(f"convo.status:{identifier(read.id, 'id')}:{read.status}", _updated_at(read), body)
    return accept(_ticket(read, unique_id, received_at, ticket_status=status))


def _replied(read: _Conversation, body: bytes, received_at: datetime) -> Translation:
    """An agent's reply to the customer: the conversation with its threads, newest first. It tells of no new status."""
    threads = read.threads if isinstance(read.threads, list) else (read.embedded or _Threads()).threads
    replies = [thread for thread in threads or [] if thread.type in ("message", "reply")]
    last = max(replies, key=lambda thread: thread.createdAt or "", default=_Thread())
    at = from_iso(last.createdAt, "thread.createdAt") or from_iso(_updated_at(read), "userUpdatedAt") or received_at
    author = last.createdBy or _Customer()
    by = email_of(author.email) or _name(author)
    reply_id = optional_identifier(last.id, "thread.id") or _updated_at(read)
    unique_id = state_of(f"convo.agent.reply.created:{identifier(read.id, 'id')}", reply_id, body)
    return accept(_ticket(read, unique_id, received_at, replied_at=at, replied_by=by))


def _ticket(read: _Conversation, unique_id: str, received_at: datetime, **told: Any) -> TicketChanged:
    record_id = identifier(read.id, "id")
    assignee = read.assignee or read.owner or _Customer()
    mailbox_id = read.mailboxId if read.mailboxId is not None else (read.mailbox or _Mailbox()).id
    return TicketChanged(
        source="helpscout",
        unique_id=identifier(unique_id, "the delivery id"),
        record_id=record_id,
        received_at=received_at,
        ticket_id=record_id,
        subject=present(read.subject),
        ticket_url=_link(read, record_id),
        assignee=person(
            id=optional_identifier(assignee.id, "assignee.id"),
            name=_name(assignee),
            email=email_of(assignee.email),
        ),
        occurred_at=from_iso(_updated_at(read), "userUpdatedAt"),
        **told,
        **_who(read.primaryCustomer or read.customer, mailbox_id=optional_identifier(mailbox_id, "mailboxId")),
    )


def _updated_at(read: _Conversation) -> str | None:
    return read.userUpdatedAt or read.userModifiedAt or read.modifiedAt


def _link(read: _Conversation, record_id: str) -> str | None:
    web = (read.links or {}).get("web") or _Link()
    number = optional_identifier(read.number, "number")
    own = f"https://secure.helpscout.net/conversation/{record_id}/{number}/" if number else None
    return link_of(web.href) or own


def _answered(read: _SurveyAnswer, body: bytes, received_at: datetime) -> Translation:
    """Answers have no id of their own: the message, the customer and the time identify them."""
    answer = read.response or _Answer()
    score = _answer_score(answer)
    if score is None:
        return ignore("The answer has no score: free text, a choice, or nothing.")
    customer = (read.embedded or _AnswerEmbedded()).customer or _Customer()
    dashboard = (read.links or {}).get("message:dashboard") or _Link()
    message_id = identifier((dashboard.href or "").rstrip("/").rpartition("/")[2], "the message's id in _links")
    record_id = identifier(f"{message_id}:{identifier(customer.id, 'customer.id')}", "the answer's id")
    return accept(
        SurveyResponded(
            source="helpscout",
            unique_id=state_of(record_id, answer.timestamp, body),
            record_id=record_id,
            received_at=received_at,
            comment=comment_of(answer.comment),
            survey_id=message_id,
            occurred_at=from_iso(answer.timestamp, "response.timestamp"),
            **rating.fields(score),
            **_who(customer, organization_name=present(customer.organization)),
        )
    )


def _answer_score(answer: _Answer) -> Score | None:
    """NPS answers have a category, whose name can be wrong and is not used. Faces and thumbs are emoji with a name.
    https://developer.helpscout.com/webhooks/objects/survey-response-data"""
    if answer.category is not None:
        return rating.rate(NPS_0_10, answer.value, "response.value")
    return _word(answer.name) or _word(answer.value)


def _word(raw: Any) -> Score | None:
    if not isinstance(raw, str) or len(raw) > _LONGEST_WORD:
        return None
    scale, word = _WORDS.get(_SKIN_TONE.sub("", raw.strip().lower()), (None, None))
    return scale.score(raw, word) if scale else None


def _who(customer: _Customer | None, **hints: Any) -> dict[str, Any]:
    """The first of several addresses is the primary one."""
    found = customer or _Customer()
    emails = found.emails or (found.embedded or _Embedded()).emails
    return asked_by(found.email or (emails[0].value if emails else None), _name(found), **hints)


def _name(who: _Customer) -> str | None:
    return present(f"{who.firstName or who.first or ''} {who.lastName or who.last or ''}")


SOURCE = Source(
    name="helpscout",
    verify=verify_by(HELPSCOUT),
    translate=translate,
    signature_headers=(HELPSCOUT.header,),
    keeps=(EVENT,),
)
