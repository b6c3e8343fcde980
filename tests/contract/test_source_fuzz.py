"""Any bytes, through the front door of every source: taken, ignored with a reason, or refused in words. Never a 5xx."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.authentication import authenticate
from services.ingest.sources import BY_NAME, SOURCES, cloudevents
from services.ingest.sources.base import Content, InvalidSignature, Source, WebhookRequest
from services.ingest.sources.options import parse_options
from tests.support.examples import examples
from tests.support.ingest import NOW, Ingest, running_ingest, secret_of
from tests.support.payloads import Sample, samples
from tests.support.signing import qualtrics_form, sign

EVERY_SOURCE = (*SOURCES, cloudevents.SOURCE)
SAMPLES = [one for source in EVERY_SOURCE for one in samples(source.name)]
TYPES = {Content.JSON: "application/json", Content.FORM: "application/x-www-form-urlencoded", Content.XML: "text/xml"}
fuzzing = settings(max_examples=examples(15), deadline=None, database=None, suppress_health_check=list(HealthCheck))

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(
        ["0", "", "null", "1e5", "-0", "2026-99-99T00:00:00Z", "a@b", "https://", "{{ticket.id}}", "\x00"]
    )
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def source_of(one: Sample) -> Source:
    return cloudevents.SOURCE if one.source == "events" else BY_NAME[one.source]


def places(document: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [place for key, value in items for place in [(*above, key), *places(value, (*above, key))]]


def mutated(document: Any, changes: list[tuple[int, Any]]) -> Any:
    """The document with some of its places holding something else."""
    for number, value in changes:
        found = places(document)
        if not found:
            return value
        *way, last = found[number % len(found)]
        place = document
        for step in way:
            place = place[step]
        place[last] = value
    return document


def broken(body: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with some pieces replaced by others."""
    for at, length, piece in cuts:
        start = at % (len(body) + 1)
        body = body[:start] + piece + body[start + length :]
    return body


async def post(ingest: Ingest, one: Sample, body: bytes) -> None:
    """As the vendor sends it, and signed by it."""
    name, secret = one.source, secret_of(one.source)
    path = "/v1/events" if name == "events" else f"/v1/webhooks/{name}"
    if name == "qualtrics" and body.startswith(b"MSG="):
        body = qualtrics_form(body[4:].decode("utf-8", "replace"), secret)
    url = f"{ingest.runtime.settings.http.public_url}{path}"
    headers = {**one.headers, **sign(name, body, secret, NOW, url=url)}
    headers["content-type"] = one.headers.get("content-type", TYPES[source_of(one).content])
    answer = await ingest.http.post(path, content=body, headers=headers)
    assert answer.status_code in (200, 202, 400, 401, 413, 415, 422), answer.text
    if answer.status_code == 401:
        assert name in ("qualtrics", "mapped")
    elif answer.status_code == 422:
        assert answer.json()["detail"]
    elif source_of(one).answer is None:
        said = answer.json() if answer.content else {"reason": "a challenge"}
        assert said.get("ids") or said.get("reason") or said.get("rejected")


def send_all(one: Sample, bodies: list[bytes]) -> None:
    async def sending() -> None:
        options = {one.source: {key: held for key, held in one.options.items() if key != "signature"}}
        async with running_ingest(one.source, options=options, now=NOW) as ingest:
            for body in bodies:
                await post(ingest, one, body)

    asyncio.run(sending())


@pytest.mark.parametrize("one", SAMPLES, ids=str)
def test_g12_mutated_deliveries(one: Sample) -> None:
    def document() -> Any:
        return json.loads(one.body)

    bodies: list[bytes] = []

    if one.file.endswith(".json"):

        @fuzzing
        @given(st.lists(st.tuples(st.integers(0, 1000), values), min_size=1, max_size=4))
        def with_other_values(changes: list[tuple[int, Any]]) -> None:
            bodies.append(json.dumps(mutated(document(), changes)).encode())

        with_other_values()

    @fuzzing
    @given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 20), st.binary(max_size=8)), min_size=1, max_size=4))
    def with_other_bytes(cuts: list[tuple[int, int, bytes]]) -> None:
        bodies.append(broken(one.body, cuts))

    with_other_bytes()
    send_all(one, bodies)


@pytest.mark.parametrize("source", EVERY_SOURCE, ids=lambda source: source.name)
def test_g12_any_bytes(source: Source) -> None:
    one = samples(source.name)[0]
    bodies: list[bytes] = []

    @fuzzing
    @given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
    def anything(body: bytes) -> None:
        bodies.extend((body, b"MSG=" + body))

    anything()
    send_all(one, bodies)


header_values = st.text(st.characters(codec="latin-1"), max_size=60) | st.sampled_from(["sha256=", "v1,", "Basic ="])


@pytest.mark.parametrize("source", EVERY_SOURCE, ids=lambda source: source.name)
@fuzzing
@given(st.lists(header_values, min_size=3, max_size=3), st.binary(max_size=50))
def test_any_headers_hold_or_are_refused(source: Source, given_values: list[str], body: bytes) -> None:
    one = samples(source.name)[0]
    options, _ = parse_options(source, one.options)
    named = [*source.signature_headers, *source.keeps, "authorization", "x-closeloop-token", *one.headers]
    headers = {name: given_values[number % 3] for number, name in enumerate(dict.fromkeys(named))}
    with pytest.raises(InvalidSignature):
        authenticate(source, WebhookRequest("POST", "", headers, body, {}), ["the-one-secret"], options, NOW)
