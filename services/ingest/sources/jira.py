"""Jira Service Management, Cloud and Data Center: issues that change status, the satisfaction field, and replies."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.scales import is_missing
from services.ingest.signatures import JIRA
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Feedback,
    Options,
    Source,
    Translation,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.body_signature import verify_by
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    Identifier,
    asked_by,
    digest,
    email_of,
    from_epoch,
    from_iso,
    identifier,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
)
from shared.events.catalog import SurveyResponded, TicketChanged

DELIVERY = "x-atlassian-webhook-identifier"
UPDATED, DELETED, COMMENTED = "jira:issue_updated", "jira:issue_deleted", "comment_created"
SATISFACTION = "satisfaction"


class _Person(msgspec.Struct):
    """Data Center has a `name` where Cloud has accountId and accountType."""

    accountId: Identifier | None = None
    name: Identifier | None = None
    accountType: str | None = None
    displayName: str | None = None
    emailAddress: str | None = None


class _Category(msgspec.Struct):
    key: str | None = None


class _Status(msgspec.Struct):
    statusCategory: _Category | None = None


class _Known(msgspec.Struct):
    summary: str | None = None
    status: _Status | None = None
    reporter: _Person | None = None
    assignee: _Person | None = None


class _Issue(msgspec.Struct):
    id: Identifier | None = None
    key: str | None = None
    self: str | None = None
    fields: dict[str, Any] | None = None


class _Item(msgspec.Struct, rename={"before": "from", "before_words": "fromString"}):
    field: str | None = None
    fieldId: str | None = None
    before: Any = None
    before_words: Any = None


class _Comment(msgspec.Struct):
    author: _Person | None = None
    created: str | None = None
    jsdPublic: bool | None = None


class _Changelog(msgspec.Struct):
    items: list[_Item] | None = None


class _Event(msgspec.Struct):
    webhookEvent: str | None = None
    timestamp: int | float | str | None = None
    issue: _Issue | None = None
    changelog: _Changelog | None = None
    comment: _Comment | None = None


class _Kind(msgspec.Struct):
    webhookEvent: str


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Names of statuses are localised and custom; the category and the changelog are not."""
    document = parse_json(request.body)
    if shape(document, _Kind).webhookEvent not in (UPDATED, DELETED, COMMENTED):
        return ignore("Jira events of this kind are not needed; we take issues updated and deleted, and comments.")
    event = shape(document, _Event)
    issue = event.issue or _Issue()
    fields = shape(issue.fields or {}, _Known)
    unique_id = identifier(request.headers.get(DELIVERY) or digest(request.body), DELIVERY)
    about = _about(issue, fields, unique_id, options, received_at)
    if event.webhookEvent == COMMENTED:
        return _commented(event.comment or _Comment(), fields, _issue_id(issue), about, received_at)
    changed = {_changed_field(item, options): item for item in (event.changelog or _Changelog()).items or []}
    events: list[Feedback] = []
    if event.webhookEvent == DELETED:
        about["ticket_status"] = "deleted"
        changed = {"status": _Item()}
    if "status" in changed and about["ticket_status"]:
        at = from_epoch(event.timestamp, "timestamp", 1000)
        events.append(TicketChanged(record_id=_issue_id(issue), occurred_at=at, **about))
    field = options.get("satisfaction_field")
    if field and field in changed:
        events += _responses(event, issue, changed[field], about, options)
    if events:
        return accept(*events)
    missing = "" if field else " Ratings need the option satisfaction_field."
    return ignore(f"Neither the status nor the satisfaction changed.{missing}")


def _changed_field(item: _Item, options: Options) -> str | None:
    """Data Center names a field in words, and its own ones in English or the site's language."""
    words = (item.field or "").casefold()
    if item.fieldId is None and words == options.get("satisfaction_name", SATISFACTION).casefold():
        return options.get("satisfaction_field")
    return item.fieldId or item.field


def _commented(
    comment: _Comment, fields: _Known, record_id: str, about: dict[str, Any], received_at: datetime
) -> Translation:
    """An agent's public comment is the reply to the customer. It tells of no change of status."""
    author, reporter = comment.author or _Person(), fields.reporter or _Person()
    by_customer = author.accountType not in (None, "atlassian") or _person_id(author) in (None, _person_id(reporter))
    if by_customer or comment.jsdPublic is not True:
        return ignore("The comment is not an agent's public one.")
    at = from_iso(comment.created, "comment.created") or received_at
    by = email_of(author.emailAddress) or present(author.displayName)
    told = {**about, "ticket_status": None, "occurred_at": at, "replied_at": at, "replied_by": by}
    return accept(TicketChanged(record_id=record_id, **told))


def _person_id(who: _Person) -> str | None:
    return optional_identifier(who.accountId if who.accountId is not None else who.name, "accountId")


def _issue_id(issue: _Issue) -> str:
    return identifier(issue.id, "issue.id")


def _responses(event: _Event, issue: _Issue, change: _Item, about: dict[str, Any], options: Options) -> list[Feedback]:
    """The comment is not in the field; it would have to be fetched. A field that was emptied is a rating withdrawn."""
    values = issue.fields or {}
    value = values.get(options["satisfaction_field"])
    raw = value.get("rating") if isinstance(value, dict) else value
    record_id, changed_at = f"csat:{_issue_id(issue)}", from_epoch(event.timestamp, "timestamp", 1000)
    if is_missing(raw):
        if is_missing(change.before) and is_missing(change.before_words):
            return []
        return [SurveyResponded(record_id=record_id, occurred_at=changed_at, metric="csat", withdrawn=True, **about)]
    score = rating.rate_metric("csat", raw, options, "the satisfaction field")
    date = values.get(options.get("satisfaction_date_field", ""))
    rated_at = from_iso(date, "the satisfaction date") if isinstance(date, str) else None
    assert score is not None
    return [
        SurveyResponded(
            record_id=record_id,
            occurred_at=rated_at or changed_at,
            **rating.fields(score),
            **about,
        )
    ]


def _about(issue: _Issue, fields: _Known, unique_id: str, options: Options, received_at: datetime) -> dict[str, Any]:
    key = identifier(issue.key, "issue.key")
    reporter, assignee = fields.reporter or _Person(), fields.assignee or _Person()
    site = options.get("site") or (issue.self or "").partition("/rest/")[0]
    return {
        "source": "jira",
        "unique_id": unique_id,
        "received_at": received_at,
        "ticket_id": key,
        "ticket_status": _status(fields),
        "subject": present(fields.summary),
        "ticket_url": link_of(f"{site}/browse/{key}") if site else None,
        "assignee": person(
            id=_person_id(assignee),
            name=present(assignee.displayName),
            email=email_of(assignee.emailAddress),
        ),
        **asked_by(reporter.emailAddress, reporter.displayName, organization_names=_organizations(issue, options)),
    }


def _status(fields: _Known) -> str | None:
    category = ((fields.status or _Status()).statusCategory or _Category()).key
    return None if category is None else "closed" if category == "done" else "open"


def _organizations(issue: _Issue, options: Options) -> list[str]:
    value = (issue.fields or {}).get(options.get("organizations_field", ""))
    if not isinstance(value, list):
        return []
    return [one["name"] for one in value if isinstance(one, dict) and isinstance(one.get("name"), str)]


SOURCE = Source(
    name="jira",
    verify=verify_by(JIRA),
    translate=translate,
    signature_headers=(JIRA.header,),
    keeps=(DELIVERY,),
    options={
        "site": lambda value: text(value).rstrip("/"),
        "satisfaction_field": text,
        "satisfaction_date_field": text,
        "satisfaction_name": text,
        "organizations_field": text,
    },
)
