"""`/loops`: answered from the database."""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.router.domain import cards
from services.router.domain.agenda import day_ends
from services.router.slack import lists, mrkdwn
from services.router.slack.absences import AwayDesk
from services.router.slack.actors import Actors, NotAllowed
from services.router.slack.blocks import Rendered
from services.router.slack.interactions import SlackUser
from services.router.slack.submissions import Author
from services.router.store import agendas, people
from services.router.store.views import load_view
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

_CASE = re.compile(r"L-[A-Z2-7]{10}")
_READ_SECONDS = 2.0


@dataclass
class Commands:
    """`case_base` is the console's address; None: no links. `hidden` is what one person alone is not shown either."""

    database: Database
    clock: Clock
    actors: Actors
    case_base: str | None
    desk: AwayDesk
    hidden: Collection[str] = ()

    async def answer(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The ephemeral answer to a slash command. Never raises."""
        user = SlackUser(form.get("user_id", ""))
        try:
            async with asyncio.timeout(_READ_SECONDS):
                shown = await self._answer(user, form.get("text", "").strip())
        except NotAllowed as refusal:
            shown = Rendered(mrkdwn.escape(str(refusal)), [])
        except (DatabaseUnavailable, TimeoutError):
            shown = Rendered("The cases cannot be read just now. Please try again in a moment.", [])
        except Exception:
            log.exception("command_failed")
            shown = Rendered("Something went wrong on our side. Please try again.", [])
        blocks = {"blocks": shown.blocks} if shown.blocks else {}
        return {"response_type": "ephemeral", "text": shown.text, **blocks}

    async def _answer(self, user: SlackUser, text: str) -> Rendered:
        word = text.lower()
        if word == "help":
            return Rendered(lists.HELP, [])
        author = await self.actors.author(user)
        if _CASE.fullmatch(text.upper()):
            return await self._one(text.upper())
        if word == "team":
            return await self._list("Open cases", author, None)
        verb, _, rest = text.partition(" ")
        if verb.lower() == "away":
            return Rendered(mrkdwn.escape(await self.desk.away(author, rest)), [])
        if word in ("back", "back all"):
            return Rendered(mrkdwn.escape(await self.desk.back(author, coming=word != "back")), [])
        if word in ("", "mine"):
            return await self._list("Your open cases", author, author.email)
        return Rendered(f"Not understood.\n{lists.HELP}", [])

    async def _one(self, case_id: str) -> Rendered:
        async with self.database.read() as connection:
            view = await load_view(connection, case_id)
            if view is None:
                return Rendered(f"There is no case {case_id}.", [])
            mentions = await people.slack_ids(connection, [view.case.owner])
        return lists.one_case(view, self.clock.now(), mentions, cards.page_of(self.case_base, case_id), self.hidden)

    async def _list(self, title: str, author: Author, owner: str | None) -> Rendered:
        """The open cases of one owner, or (None) of everybody."""
        now = self.clock.now()
        midnight = day_ends(now, author.timezone)
        async with self.database.read() as connection:
            total = await agendas.total(connection, owner)
            views = [view for _, view in await agendas.page_of(connection, owner, now, midnight, 0)]
            mentions = await people.slack_ids(connection, sorted({view.case.owner for view in views}))
        return lists.case_list(title, views, total, now, mentions)
