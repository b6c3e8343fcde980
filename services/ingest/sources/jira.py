"""Jira Service Management: issues that change status, and the satisfaction field."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest import signatures
from services.ingest.scales import is_missing
from services.ingest.sources import rating
from services.ingest.sources.base import (
    Feedback,
    Options,
    Secrets,
    Source,
    Translation,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    Identifier,
    digest,
    email_domain,
    email_of,
    from_epoch,
    from_iso,
    identifier,
    known,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
    shape,
)
from shared.events.catalog import SurveyResponded, TicketChanged

DELIVERY = "x-atlassian-webhook-identifier"


class _Person(msgspec.Struct):
    accountId: Identifier | None = None
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


class _Changelog(msgspec.Struct):
    items: list[_Item] = []


class _Event(msgspec.Struct):
    webhookEvent: str | None = None
    timestamp: int | float | str | None = None
    issue: _Issue | None = None
    changelog: _Changelog | None = None


class _Kind(msgspec.Struct):
    webhookEvent: str


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    signatures.jira(request.headers, request.body, secrets)


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Names of statuses are localised and custom; the category and the changelog are not."""
    document = parse_json(request.body)
    if shape(document, _Kind).webhookEvent not in ("jira:issue_updated", "jira:issue_deleted"):
        return ignore("Jira events of this kind are not needed; we take issues updated and deleted.")
    event = shape(document, _Event)
    issue = event.issue or _Issue()
    fields = shape(issue.fields or {}, _Known)
    unique_id = identifier(request.headers.get(DELIVERY) or digest(request.body), DELIVERY)
    about = _about(issue, fields, unique_id, options, received_at)
    changed = {item.fieldId or item.field: item for item in (event.changelog or _Changelog()).items}
    events: list[Feedback] = []
    if event.webhookEvent == "jira:issue_deleted":
        about["ticket_status"] = "deleted"
        changed = {"status": _Item()}
    if "status" in changed and about["ticket_status"]:
        at = from_epoch(event.timestamp, "timestamp", 1000)
        events.append(TicketChanged(record_id=_issue_id(issue), occurred_at=at, **about))
    field = options.get("satisfaction_field")
    if field and field in changed:
        events += _responses(event, issue, changed[field], about, options)
    return accept(*events) if events else ignore("Neither the status nor the satisfaction changed.")


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
    email = email_of(reporter.emailAddress)
    site = options.get("site") or (issue.self or "").partition("/rest/")[0]
    return {
        "source": "jira",
        "unique_id": unique_id,
        "received_at": received_at,
        "ticket_id": key,
        "ticket_status": _status(fields),
        "subject": present(fields.summary),
        "ticket_url": link_of(f"{site}/browse/{key}") if site else None,
        "requester_email": email,
        "requester_name": present(reporter.displayName),
        "account_hint": known(organization_names=_organizations(issue, options), **email_domain(email)),
        "assignee": person(
            id=optional_identifier(assignee.accountId, "assignee.accountId"),
            name=present(assignee.displayName),
            email=email_of(assignee.emailAddress),
        ),
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
    verify=verify,
    translate=translate,
    signature_headers=("x-hub-signature",),
    keeps=(DELIVERY,),
    options={
        "site": lambda value: text(value).rstrip("/"),
        "satisfaction_field": text,
        "satisfaction_date_field": text,
        "organizations_field": text,
    },
)
