"""The ingest service: HTTP in, events out. Stateless; knows vendors, knows nothing of cases."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from services.ingest import accounts
from services.ingest.documented import documentation
from services.ingest.enrichment import Enrichment
from services.ingest.events import Events
from services.ingest.front_door import FrontDoor, OpenSource
from services.ingest.guides import GUIDES
from services.ingest.hearing import Hearing
from services.ingest.reconciler import Reconciler
from services.ingest.sources import sources_of
from services.ingest.switchboard import open_events, open_sources
from services.ingest.vendors.opening import OpenVendor, needs_of, open_vendors
from services.ingest.webhooks import Webhooks
from shared.auth import AdminAuth
from shared.runtime import Check, Loop, Runtime, Service


def build(runtime: Runtime) -> Service:
    """Raises ConfigurationError when an option of a source is malformed."""
    auth = AdminAuth(runtime.settings)
    sources = open_sources(runtime.settings, runtime.policy)
    vendors = open_vendors(runtime.settings, runtime.policy, runtime.clock)
    hearing = Hearing(runtime.bus, runtime.clock, about_sources(sources, vendors))
    door = FrontDoor(runtime, hearing, needs_of(vendors))
    events = Events(door, open_events(runtime.settings, runtime.policy, auth.token))

    routes: list[BaseRoute] = [
        Route("/v1/events", events),
        Route("/v1/events/", events),
        *accounts.router(runtime, auth).routes,
        *documentation().routes,
    ]
    enrichments = {name: Enrichment(runtime.bus, runtime.clock, vendors[name], hearing) for name in needs_of(vendors)}
    thin = {name: loop for one in enrichments.values() for name, loop in one.loops(runtime).items()}
    reconcilers = {name: Reconciler(runtime.bus, runtime.clock, one, hearing) for name, one in vendors.items()}

    async def close() -> None:
        await asyncio.gather(*(one.close() for one in enrichments.values()))

    return Service(
        "ingest",
        routes=routes,
        lanes={"/v1/webhooks/": Webhooks(door, sources, sources_of(runtime.policy.sources))},
        loops=[
            Loop("hearing", hearing.run),
            *(Loop(name, loop.run) for name, loop in thin.items()),
            *(Loop(f"reconciler {name}", one.run) for name, one in reconcilers.items() if one.switched_on),
        ],
        checks=[
            Check("bus", runtime.bus.ping),
            *(Check(name, loop.check, needed_for_ready=False) for name, loop in thin.items()),
        ],
        close=close,
    )


def about_sources(sources: Mapping[str, OpenSource], vendors: Mapping[str, OpenVendor]) -> dict[str, dict[str, Any]]:
    """How every source that is switched on is set up, for those who watch over it."""
    return {name: _about(name, name in sources, vendors.get(name)) for name in {*sources, *vendors}}


def _about(name: str, webhook: bool, opened: OpenVendor | None) -> dict[str, Any]:
    guide = GUIDES.get(name, GUIDES["mapped"])
    return {
        "webhook": webhook,
        "credentials": opened is not None,
        "reconciles": opened is not None and opened.vendor.list_since is not None,
        "rule": guide.rule if guide else "",
        "switch_on": guide.switch_on if guide else "",
        "trouble": None,
    }
