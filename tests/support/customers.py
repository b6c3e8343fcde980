"""Customers who rate a ticket, and the helpdesk that tells us of it: signed Zendesk trigger webhooks."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.support.signing import sign

BAD, GOOD = "Bad, I'm unsatisfied", "Good, I'm satisfied"


class Zendesk:
    """`front_door` is where ingest listens."""

    def __init__(self, front_door: httpx.Client, secret: str) -> None:
        self._http = front_door
        self._secret = secret

    def rated(self, ticket: str, email: str, **more: Any) -> httpx.Response:
        """A customer rates a solved ticket; AssertionError unless that was taken."""
        answer = self.tells_of(ticket, email, **more)
        assert answer.status_code == 202, f"{answer.status_code}: {answer.text}"
        return answer

    def tells_of(
        self, ticket: str, email: str, *, comment: str = "", rating: str = BAD, delivery: str | None = None
    ) -> httpx.Response:
        """The same, whatever the answer is."""
        return self._send(trigger(ticket, email, comment=comment, rating=rating), delivery)

    def reopened(self, ticket: str, email: str) -> httpx.Response:
        """A ticket is open again."""
        return self._send({**trigger(ticket, email, status="Open"), "event": "ticket.updated"}, None)

    def _send(self, document: dict[str, Any], delivery: str | None) -> httpx.Response:
        body = json.dumps(document).encode()
        headers = sign("zendesk", body, self._secret, datetime.now(UTC), delivery_id=delivery or str(uuid.uuid4()))
        return self._http.post("/v1/webhooks/zendesk", content=body, headers=headers)


def trigger(
    ticket: str, email: str, *, comment: str = "", rating: str | None = None, status: str = "Solved", at: str = ""
) -> dict[str, Any]:
    """The body of our trigger template (docs/sources/zendesk.md)."""
    document: dict[str, Any] = {
        "event": "csat.rated" if rating else "ticket.updated",
        "ticket": {
            "id": ticket,
            "title": f"Export {ticket} fails",
            "status": status,
            "url": f"acme.zendesk.com/agent/tickets/{ticket}",
            "updated_at": at,
        },
        "requester": {"id": "77", "name": email.partition("@")[0].title(), "email": email},
    }
    if rating:
        document["satisfaction"] = {"rating": rating, "comment": comment}
    return document
