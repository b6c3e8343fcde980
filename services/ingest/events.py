"""POST /v1/events: CloudEvents in all three HTTP modes, with the secret of the source `events` or the admin token."""

from starlette.types import Receive, Scope, Send

from services.ingest.front_door import FrontDoor, OpenSource
from services.ingest.webhooks import greet


class Events:
    def __init__(self, door: FrontDoor, opened: OpenSource) -> None:
        self._door = door
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            answer = await self._door.receive(self._opened, scope, receive)
        else:
            answer = greet(scope, self._opened.source.name)
        await answer(scope, receive, send)
