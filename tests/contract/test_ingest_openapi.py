"""What /openapi.json says of ingest's doors is so: every answer is documented, and no input makes a 500 (G12)."""

import asyncio
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Content
from shared.web import Lanes, create_app
from tests.support.examples import examples
from tests.support.ingest import ADMIN, NOW, running_ingest, secret_of
from tests.support.signing import sign

ADMIN_HEADERS = {"authorization": f"Bearer {ADMIN}"}
# Right by its form, a request may still be refused: by what only the domain knows. Vendors add parameters of their
# own, which harm nobody, and their bodies have no schema of ours. The schema's own client always sends the token.
NOT_HERE = ["positive_data_acceptance", "negative_data_rejection", "ignored_auth"]
OPERATIONS = ["PUT /v1/accounts/{account_id}", "POST /v1/accounts", "POST /v1/webhooks/{source}", "POST /v1/events"]
# Salesforce and Front are answered as they insist, not in our JSON.
SOURCES = sorted(
    name for name, one in BY_NAME.items() if one.content is Content.JSON and name not in ("front", "mapped")
)


@pytest.fixture(scope="module")
def app() -> Any:
    async def made() -> Any:
        async with running_ingest(*SOURCES) as ingest:
            return Lanes(create_app(ingest.runtime.settings, [ingest.service]), [ingest.service])

    return asyncio.run(made())


@pytest.fixture(scope="module")
def api(app: Any) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers=ADMIN_HEADERS)


def test_every_door_is_documented(api: schemathesis.BaseSchema) -> None:
    assert sorted(found.ok().label for found in api.get_all_operations()) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("label", OPERATIONS)
def test_g12_whatever_is_sent_gets_a_documented_answer(
    api: schemathesis.BaseSchema, label: str, mode: schemathesis.GenerationMode
) -> None:
    operation = next(found.ok() for found in api.get_all_operations() if found.ok().label == label)

    @settings(max_examples=examples(15), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode), st.sampled_from(SOURCES))
    def sends(case: schemathesis.Case, source: str) -> None:
        headers = dict(ADMIN_HEADERS)
        if "source" in (case.path_parameters or {}):
            case.path_parameters = {"source": source}
            case.body, headers = signed(source, case.body)
        case.call_and_validate(headers=headers, excluded_checks=CHECKS.get_by_names(NOT_HERE))

    sends()


def signed(source: str, document: Any) -> tuple[Any, dict[str, str]]:
    """What was made for the body, as the source would sign it."""
    body = document if isinstance(document, bytes) else json.dumps(document, default=str).encode()
    return body, sign(source, body, secret_of(source), NOW)
