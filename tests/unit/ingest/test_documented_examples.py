"""What docs/ tells people to paste is what we take."""

import json
import re
from pathlib import Path
from typing import Any

from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.ingest import NOW

DOCS = Path(__file__).parents[3] / "docs"


def documented(page: str) -> Any:
    """The first JSON block of a page."""
    block = re.search(r"```json\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert block
    return json.loads(block[1])


def translate(source: str, document: Any, options: dict[str, Any]) -> Translation:
    request = WebhookRequest("POST", "", {}, json.dumps(document).encode(), {})
    return BY_NAME[source].translate(request, parse_options(BY_NAME[source], options)[0], NOW)


def test_our_json() -> None:
    (response,) = translate("hmac", documented("webhooks.md"), {}).events
    assert (response.normalised_score, response.comment, response.ticket_status) == (2, "Third time I ask", "solved")
    assert response.account_hint == {"external_id": "crm-1", "domain": "elm.example"}


def test_zendesks_template_filled_in_and_as_the_test_button_sends_it() -> None:
    template = documented("sources/zendesk.md")
    assert translate("zendesk", template, {}).outcome is Outcome.HANDSHAKE
    values = {"{{ticket.id}}": "7", "{{satisfaction.current_rating}}": "Bad, slow", "{{ticket.link}}": "a.example/7"}
    filled = re.sub(r"\{\{.*?\}\}", lambda found: values.get(found[0], ""), json.dumps(template))
    (response,) = translate("zendesk", json.loads(filled), {}).events
    assert (response.record_id, response.normalised_score) == ("csat:7", 1)
