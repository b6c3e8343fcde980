"""What every source must keep to, and what every delivery in tests/payloads must become."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.authentication import authenticate
from services.ingest.sources import BY_NAME, SOURCES, cloudevents
from services.ingest.sources.base import (
    InvalidSignature,
    Outcome,
    Source,
    Translation,
    Unprocessable,
    WebhookRequest,
)
from services.ingest.sources.options import parse_options
from shared.events.envelope import encode_json
from tests.support.examples import examples
from tests.support.ingest import NOW, secret_of
from tests.support.payloads import Sample, samples
from tests.support.signing import SIGNERS, sign

EVERY_SOURCE = (*SOURCES, cloudevents.SOURCE)
SAMPLES = samples()
FOREIGN = "whsec_Zm9yZWlnbi1zZWNyZXQtb2Ytc29tZWJvZHk="
SIGNED = [one for one in SAMPLES if one.secret and one.source in {*SIGNERS, "hubspot"}]

STAMPED = {"zendesk", "standard", "chatwoot", "hubspot", "front", "formbricks"}

each_source = pytest.mark.parametrize("source", EVERY_SOURCE, ids=lambda source: source.name)
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)
each_signed = pytest.mark.parametrize("sample", SIGNED, ids=str)


def source_of(sample: Sample) -> Source:
    return cloudevents.SOURCE if sample.source == "events" else BY_NAME[sample.source]


def request_of(sample: Sample, **changes: Any) -> WebhookRequest:
    url = sample.url or f"http://127.0.0.1:8000/v1/webhooks/{sample.source}"
    fields = {"method": "POST", "url": url, "headers": sample.headers, "body": sample.body, "query": {}} | changes
    return WebhookRequest(**fields)


def verify(sample: Sample, secrets: list[str], now: datetime | None = None, **changes: Any) -> None:
    source_of(sample).verify(request_of(sample, **changes), secrets, {}, now or sample.at)


def translate(sample: Sample) -> Translation:
    options, unknown = parse_options(source_of(sample), sample.options)
    assert not unknown
    return source_of(sample).translate(request_of(sample), options, NOW)


def instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


@each_sample
def test_a_delivery_becomes_exactly_the_records_it_must(sample: Sample) -> None:
    translation = translate(sample)
    assert translation.outcome == sample.outcome
    got = [json.loads(encode_json(event)) for event in translation.events]
    assert len(got) == len(sample.expected)
    for record, expected in zip(got, sample.expected, strict=True):
        wanted = dict(expected)
        assert instant(record["occurred_at"]) == instant(wanted.pop("occurred_at"))
        wanted.pop("kind")
        assert {name: record[name] for name in wanted} == wanted


@each_sample
def test_the_kinds_of_records_are_those_expected(sample: Sample) -> None:
    kinds = {"closeloop.survey.responded": "survey response", "closeloop.ticket.changed": "ticket"}
    assert [kinds[event.TYPE] for event in translate(sample).events] == [one["kind"] for one in sample.expected]


@each_signed
def test_the_vendors_own_signature_holds(sample: Sample) -> None:
    verify(sample, [sample.secret or ""])


@each_signed
def test_either_of_two_active_secrets_holds(sample: Sample) -> None:
    old, new = sample.secret or "", FOREIGN
    verify(sample, [new, old])
    verify(sample, [old, new])


@each_signed
def test_a_foreign_secret_is_refused(sample: Sample) -> None:
    with pytest.raises(InvalidSignature):
        verify(sample, [FOREIGN])


@each_signed
def test_one_changed_byte_is_refused(sample: Sample) -> None:
    with pytest.raises(InvalidSignature):
        verify(sample, [sample.secret or ""], body=sample.body.replace(b'"', b"'", 1))


@each_signed
def test_without_any_secret_nothing_holds(sample: Sample) -> None:
    with pytest.raises(InvalidSignature):
        verify(sample, [])


@each_signed
@pytest.mark.parametrize("junk", ["", "=", "sha256=", "sha1=zz", "v1,", "v1,é", "\ud800", "0" * 100_000, "nan", "-1"])
def test_malformed_headers_are_refused_and_never_an_error(sample: Sample, junk: str) -> None:
    for name in sample.headers:
        if name in ("content-type", "user-agent", "accept", "x-hubspot-signature", "x-helpscout-event"):
            continue
        matters = name in source_of(sample).signature_headers
        try:
            verify(sample, [sample.secret or ""], headers={**sample.headers, name: junk})
        except InvalidSignature:
            continue
        assert not matters


@each_signed
def test_a_missing_signature_is_refused(sample: Sample) -> None:
    source = source_of(sample)
    for name in source.signature_headers:
        headers = {key: value for key, value in sample.headers.items() if key != name}
        if headers != sample.headers:
            with pytest.raises(InvalidSignature):
                verify(sample, [sample.secret or ""], headers=headers)


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() & STAMPED))
@pytest.mark.parametrize("sign_of_skew", [-1, 1])
def test_a_signed_timestamp_outside_the_window_is_stale_either_way(name: str, sign_of_skew: int) -> None:
    body, secret, url = b'{"a":1}', secret_of(name), "http://127.0.0.1:8000/v1/webhooks/" + name
    request = WebhookRequest("POST", url, sign(name, body, secret, NOW, url=url), body, {})
    source = BY_NAME[name]
    source.verify(request, [secret], {}, NOW + sign_of_skew * timedelta(seconds=299))
    with pytest.raises(InvalidSignature, match="300 s"):
        source.verify(request, [secret], {}, NOW + sign_of_skew * timedelta(seconds=302))
    wider = {"replay_window": timedelta(seconds=3600)}
    source.verify(request, [secret], wider, NOW + sign_of_skew * timedelta(seconds=302))


@each_source
def test_unsigned_deliveries_need_the_option_and_the_shared_secret(source: Source) -> None:
    def ask(options: dict[str, Any], headers: dict[str, str]) -> None:
        request = WebhookRequest("POST", f"{NOW}", headers, b"{}", {})
        authenticate(source, request, ["the-secret"], options, NOW)

    ask({"unsigned": True}, {"x-closeloop-token": "the-secret"})
    for headers in ({}, {"x-closeloop-token": "another"}):
        with pytest.raises(InvalidSignature):
            ask({"unsigned": True}, headers)
    if source.signature_headers:
        with pytest.raises(InvalidSignature):
            ask({}, {"x-closeloop-token": "the-secret"})
        with pytest.raises(InvalidSignature):
            ask({"unsigned": True}, {"x-closeloop-token": "the-secret", source.signature_headers[0]: "sha256=00"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@each_source
@settings(max_examples=examples(30))
@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_translated_or_refused_in_words(source: Source, body: bytes) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    with suppress(Unprocessable):
        translation = source.translate(WebhookRequest("POST", "", headers, body, {}), {}, NOW)
        assert translation.events or translation.reason or translation.rejected


def spoilt(document: Any, path: list[str | int], value: Any) -> Any:
    """The document with the value at `path` replaced."""
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


def paths(document: Any, above: tuple[str | int, ...] = ()) -> list[list[str | int]]:
    """Every place in a document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    found = [[*above, key] for key, _ in items]
    for key, value in items:
        found += paths(value, (*above, key))
    return found


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.file.endswith(".json")], ids=str)
@pytest.mark.parametrize("value", [None, True, 0, -1, 10**30, 1e308, "", "x" * 600, [], {}, [[]], {"a": [1]}], ids=repr)
def test_a_wrong_value_anywhere_is_translated_or_refused_in_words(sample: Sample, value: Any) -> None:
    document = json.loads(sample.body)
    for path in paths(document):
        try:
            translation = translate(replace(sample, body=json.dumps(spoilt(document, path, value)).encode()))
        except Unprocessable:
            continue
        for event in translation.events:
            json.loads(encode_json(event))
            assert event.unique_id
            assert event.record_id
            if event.TYPE == "closeloop.survey.responded" and translation.outcome is Outcome.ACCEPT:
                if event.withdrawn:
                    assert event.normalised_score is None
                    continue
                low, high = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}[event.metric]
                assert low <= event.normalised_score <= high


def test_names_are_unique_and_options_are_named_once() -> None:
    assert len({source.name for source in EVERY_SOURCE}) == len(EVERY_SOURCE)
    assert all(name == name.lower() for name in BY_NAME)
