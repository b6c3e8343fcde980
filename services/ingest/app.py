"""The ingest service: HTTP in, events out. Stateless; knows vendors, knows nothing of cases."""

from starlette.routing import BaseRoute, Route

from services.ingest import accounts
from services.ingest.events import Events
from services.ingest.front_door import FrontDoor
from services.ingest.switchboard import open_events, open_sources
from services.ingest.webhooks import Webhooks
from shared.auth import AdminAuth
from shared.runtime import Check, Runtime, Service


def build(runtime: Runtime) -> Service:
    """Raises ConfigurationError when an option of a source is malformed."""
    door = FrontDoor(runtime)
    auth = AdminAuth(runtime.settings)
    webhooks = Webhooks(door, open_sources(runtime.settings, runtime.policy))
    events = Events(door, open_events(runtime.settings, runtime.policy, auth.token))

    routes: list[BaseRoute] = [
        Route("/v1/webhooks/{source:path}", webhooks),
        Route("/v1/events", events),
        Route("/v1/events/", events),
        *accounts.router(runtime, auth).routes,
    ]
    return Service("ingest", routes=routes, checks=[Check("bus", runtime.bus.ping)])
