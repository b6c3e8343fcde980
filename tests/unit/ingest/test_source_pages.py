"""Every source has its page, and what stands on it is so: templates, bodies and options are taken as printed."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.ingest.guides import GUIDES
from services.ingest.sources import BY_NAME, SOURCES, sources_of
from services.ingest.sources.base import Content, Translation, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.ingest import NOW

PAGES = Path(__file__).parents[3] / "docs/sources"
FILLED = {"id": "51", "status": "closed", "score": "2", "current_rating": "Bad, slow", "feedback id": "f51",
          "email": "dora@birch.example", "response date": "2026-03-02T11:00:00Z", "comment": "Slow"}  # fmt: skip
# The name of Help Scout's event is in a header; the page says so.
HEADERS = {"x-helpscout-event": "satisfaction.ratings"}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)


def filled(text: str) -> str:
    """With the placeholders of a template replaced as the vendor would."""
    text = re.sub(r"\{\{(?:[\w.]+\.)?(\w+)\}\}", lambda found: FILLED.get(found[1], ""), text)
    return re.sub(r"<([a-z ]+)>", lambda found: FILLED.get(found[1], ""), text)


def tables(name: str) -> dict[str, Any]:
    """The options of all TOML blocks of a page together, by source."""
    found: dict[str, dict[str, Any]] = {}
    for block in blocks(name, "toml"):
        for source, table in tomllib.loads(block).get("sources", {}).items():
            found.setdefault(source, {}).update(table)
    return found


def translate(name: str, body: str) -> Translation:
    options, _ = parse_options(BY_NAME[name], tables(name).get(name, {}))
    return BY_NAME[name].translate(WebhookRequest("POST", "", HEADERS, body.encode(), {}), options, NOW)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_has_a_page_with_the_same_parts(source: Any) -> None:
    page = (PAGES / f"{source.name}.md").read_text(encoding="utf-8")
    assert f"/v1/webhooks/{source.name}" in page
    assert f"CLOSELOOP_SOURCES__{source.name.upper()}__SECRET" in page
    assert "## Limits" in page or source.name == "standard"
    assert f"]({source.name}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_bodies_of_a_page_become_events(source: Any) -> None:
    if source.content is Content.FORM:
        assert blocks(source.name, "text")
        return
    bodies = blocks(source.name, "xml" if source.content is Content.XML else "json")
    if source.name == "mapped":
        bodies = [one["body"] for one in tables("mapped")["mapped"]["examples"] if isinstance(one["body"], str)]
    assert bodies
    for body in bodies:
        assert translate(source.name, filled(body)).events, body


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_options_of_a_page_are_known_and_hold(source: Any) -> None:
    for name, table in tables(source.name).items():
        options, unknown = parse_options(sources_of({name: table})[name], table)
        assert not unknown
        assert not source.unproven(options)


@pytest.mark.parametrize("name", [name for name, guide in GUIDES.items() if guide.template])
def test_the_template_of_a_page_is_the_one_that_setup_prints(name: str) -> None:
    template = json.loads(GUIDES[name].template_text() or "")
    assert template in [json.loads(block) for block in blocks(name, "json")]


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
