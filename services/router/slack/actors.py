"""Who clicked: a full member of our workspace, known by e-mail; guests, bots and strangers may not act."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from services.router.delivery.addressing import TRUST_REACHABLE
from services.router.slack.client import SlackClient, data_of
from services.router.slack.errors import code_of
from services.router.slack.interactions import SlackUser
from services.router.slack.members import unfit
from services.router.slack.submissions import Author
from services.router.store import people
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import CloseloopError, DatabaseUnavailable

log = structlog.get_logger(__name__)

_KEEP = timedelta(minutes=10)
_PATIENCE_SECONDS = 1.2
_READ_SECONDS = 0.5


class NotAllowed(CloseloopError):
    """This person may not act; the text is for them."""


@dataclass
class Actors:
    """`slack_users` is [routing.slack_users]: e-mail -> Slack id."""

    client: SlackClient
    database: Database
    clock: Clock
    slack_users: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, tuple[Author, datetime]] = field(default_factory=dict)

    async def author(self, user: SlackUser) -> Author:
        """Raises NotAllowed."""
        if user.foreign or not user.id:
            raise NotAllowed("Only members of this workspace can act on cases.")
        kept = self._known.get(user.id)
        if kept is not None and self.clock.now() - kept[1] < _KEEP:
            return kept[0]
        author = await self._stored(user.id) or await self._asked(user.id)
        self._known[user.id] = (author, self.clock.now())
        return author

    async def colleague(self, user_id: Any) -> Author:
        """Somebody chosen in a modal, asked for afresh. Raises NotAllowed saying why they cannot own a case."""
        if not isinstance(user_id, str) or not user_id:
            raise NotAllowed("Please choose a person.")
        return await self._asked(user_id)

    async def _stored(self, user_id: str) -> Author | None:
        """As the delivery of a card has found them."""
        try:
            async with asyncio.timeout(_READ_SECONDS), self.database.read() as connection:
                email = await people.email_of(connection, user_id)
                person = (await people.find(connection, [email])).get(email) if email else None
        except (DatabaseUnavailable, TimeoutError):
            return None
        if person is None or person.unreachable or self.clock.now() - person.checked_at > TRUST_REACHABLE:
            return None
        return Author(person.email, person.timezone)

    async def _asked(self, user_id: str) -> Author:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                # Somebody of another company, in a channel shared with them, may type a command as well.
                home = await self.client.home()
                user = data_of(await self.client.web.users_info(user=user_id)).get("user") or {}
        except SlackApiError as error:
            log.warning("user_unknown", error=code_of(error))
            raise NotAllowed(
                "Slack does not tell who this is; ask an administrator to check the app's scopes."
            ) from error
        except Exception as error:
            raise NotAllowed("Slack did not answer who this is. Please try again.") from error
        why = unfit(user, home)
        if why:
            raise NotAllowed(f"This person {why} and cannot act on cases.")
        mapped = next((email for email, id_ in self.slack_users.items() if id_ == user_id), None)
        email = mapped or (user.get("profile") or {}).get("email")
        if not isinstance(email, str) or "@" not in email:
            raise NotAllowed("Slack knows no e-mail address of this person.")
        return Author(email.strip().lower(), user.get("tz"))
