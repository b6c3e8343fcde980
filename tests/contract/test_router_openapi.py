"""What /openapi.json says of the router's doors is so: every answer is documented, and no input makes a 500 (G12)."""

import asyncio
import tempfile
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from shared.db.engine import Database
from shared.policy import Policy
from shared.settings import DatabaseSettings
from tests.support.examples import examples
from tests.support.router import RouterBench
from tests.support.router_doors import TOKEN, Doors

HEADERS = {"authorization": f"Bearer {TOKEN}"}
# Right by its form, a request may still be refused: by the case's state, or for two dates in the wrong order. The
# schema's own client always sends the token, so it cannot try without (tests/integration/router/test_api.py does).
NOT_HERE = ["positive_data_acceptance", "ignored_auth"]


def _operations() -> list[str]:
    """What the app documents; a new door is tried without being named here."""
    unconnected = Database(DatabaseSettings(url=f"sqlite+aiosqlite:///{tempfile.gettempdir()}/never-opened.db"))
    paths = Doors(RouterBench(unconnected, Policy())).app.openapi()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


async def _filled(home: Path) -> Doors:
    router = await RouterBench.create(f"sqlite+aiosqlite:///{home}/closeloop.db")
    await router.account()
    await router.low(1, comment="It fails")
    await router.close()
    return Doors(router)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> schemathesis.BaseSchema:
    doors = asyncio.run(_filled(tmp_path_factory.mktemp("openapi")))
    return schemathesis.openapi.from_asgi("/openapi.json", doors.app, headers=HEADERS)


@pytest.mark.parametrize("label", _operations())
def test_g12_whatever_is_sent_gets_a_documented_answer(api: schemathesis.BaseSchema, label: str) -> None:
    operation = next(found.ok() for found in api.get_all_operations() if found.ok().label == label)
    excluded = CHECKS.get_by_names(NOT_HERE)

    @settings(max_examples=examples(8), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def sends(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=HEADERS, excluded_checks=excluded)

    sends()
