"""Salesforce: outbound messages about cases, in SOAP, answered by its acknowledgement."""

from datetime import datetime
from urllib.parse import urlsplit

from services.ingest.sources.base import (
    Answer,
    Content,
    Feedback,
    Options,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.options import text
from services.ingest.sources.reading import (
    asked_by,
    from_iso,
    identifier,
    optional_identifier,
    person,
    present,
)
from services.ingest.sources.shared_secret import verify_with_query
from services.ingest.sources.xml import Element, parse_xml
from shared.events.catalog import TicketChanged

ACK = Answer(
    b'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    b'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>",
    "text/xml; charset=utf-8",
)
STATUSES = {"new": "new", "closed": "closed", "merged": "merged", "on hold": "pending", "escalated": "open"}


def translate(request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """Up to 100 notifications, for which there is only one acknowledgement: all are taken or none."""
    notifications = parse_xml(request.body).descendant("notifications")
    if notifications is None:
        raise Unprocessable("Not an outbound message: notifications is missing.")
    organization_id = identifier(notifications.text_of("OrganizationId"), "OrganizationId")
    if options.get("organization_id", organization_id) != organization_id:
        raise Unprocessable("The message is of another organisation than the option organization_id.")
    host = urlsplit(notifications.text_of("EnterpriseUrl") or "").netloc
    events: list[Feedback] = []
    for notification in notifications.children_named("Notification"):
        case = notification.child("sObject")
        if case is not None and (case.attributes.get("type") or "").rpartition(":")[2] == "Case":
            delivery_id = identifier(notification.text_of("Id"), "Notification.Id")
            events.append(_ticket(case, delivery_id, organization_id, host, options, received_at))
    return accept(*events) if events else ignore("No notification is about a case.")


def _ticket(
    case: Element, delivery_id: str, organization_id: str, host: str, options: Options, received_at: datetime
) -> TicketChanged:
    record_id = identifier(case.text_of("Id"), "Case.Id")
    status = _status(case, options)
    closed_at = from_iso(case.text_of("ClosedDate"), "ClosedDate") if status == "closed" else None
    return TicketChanged(
        source="salesforce",
        unique_id=delivery_id,
        record_id=record_id,
        received_at=received_at,
        ticket_id=optional_identifier(case.text_of("CaseNumber"), "CaseNumber") or record_id,
        ticket_status=status,
        subject=present(case.text_of("Subject")),
        ticket_url=f"https://{host}/{record_id}" if host else None,
        assignee=person(id=optional_identifier(case.text_of("OwnerId"), "OwnerId")),
        occurred_at=closed_at or from_iso(case.text_of("LastModifiedDate"), "LastModifiedDate"),
        **asked_by(
            case.text_of("ContactEmail") or case.text_of("SuppliedEmail"),
            case.text_of("SuppliedName"),
            vendor_account_id=organization_id,
            account_id=optional_identifier(case.text_of("AccountId"), "AccountId"),
        ),
    )


def _status(case: Element, options: Options) -> str:
    if (case.text_of("IsClosed") or "").strip().lower() in ("true", "1"):
        return "closed"
    word = (case.text_of("Status") or "").strip().casefold()
    found: str = options.get("status_text_map", {}).get(word) or STATUSES.get(word, "open")
    return found


SOURCE = Source(
    name="salesforce",
    verify=verify_with_query,
    translate=translate,
    content=Content.XML,
    options={"organization_id": text},
    answer=ACK,
)
