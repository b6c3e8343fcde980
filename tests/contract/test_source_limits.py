"""No body makes a source work more than its share: work is counted, in calls, so that no clock has a say."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from services.ingest.sources import BY_NAME, SOURCES, cloudevents
from services.ingest.sources.base import InvalidSignature, Source, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.ingest import NOW
from tests.support.payloads import Sample, samples
from tests.support.probes import probes

SIZE = 3_000
# What does not grow with the body: reading options, building the event.
FIXED_CALLS = 400
SAMPLES = [one for source in (*SOURCES, cloudevents.SOURCE) for one in samples(source.name)]


def source_of(one: Sample) -> Source:
    return cloudevents.SOURCE if one.source == "events" else BY_NAME[one.source]


def calls(work: Callable[[], Any]) -> int:
    """How many functions, Python's and C's, are called."""
    count = 0

    def seen(_frame: Any, event: str, _what: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def taking(one: Sample, body: bytes) -> Callable[[], None]:
    source = source_of(one)
    options, _ = parse_options(source, one.options)
    request = WebhookRequest("POST", one.url or "", one.headers, body, {})

    def take() -> None:
        with suppress(Unprocessable):
            translation = source.translate(request, options, NOW)
            assert translation.events or translation.reason or translation.rejected

    return take


@pytest.mark.parametrize("one", SAMPLES, ids=str)
def test_twice_the_body_is_at_most_twice_the_work(one: Sample) -> None:
    for name, make in probes(one, source_of(one).content).items():
        small, large = (calls(taking(one, make(size))) for size in (SIZE, 2 * SIZE))
        assert large <= 2 * small + FIXED_CALLS, name


@pytest.mark.parametrize("one", SAMPLES, ids=str)
def test_a_body_as_large_as_we_take_is_translated_or_refused_in_words(one: Sample) -> None:
    for name, make in probes(one, source_of(one).content).items():
        if not name.startswith("long text"):
            taking(one, make(1_000_000))()


@pytest.mark.parametrize("source", [one for one in SOURCES if one.signature_headers], ids=lambda one: one.name)
def test_a_header_of_a_megabyte_is_refused_without_more_work(source: Source) -> None:
    name = source.signature_headers[0]
    stamps = {"webhook-id": "m", "webhook-timestamp": "1", "x-chatwoot-timestamp": "1",
              "x-hubspot-request-timestamp": "1", "x-zendesk-webhook-signature-timestamp": "1"}  # fmt: skip

    def verify(value: str) -> None:
        request = WebhookRequest("POST", "https://a.example/", {**stamps, name: value}, b"{}", {})
        with pytest.raises(InvalidSignature):
            source.verify(request, ["whsec_c2VjcmV0"], {}, NOW)

    few, many = (calls(lambda size=size: verify("v1,AAAA " * size)) for size in (100, 100_000))
    assert many <= few + 100
