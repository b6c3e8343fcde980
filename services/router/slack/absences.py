"""`/loops away` and `/loops back`: somebody says that they are away, and who stands in."""

from dataclasses import dataclass

from services.router.cases import InvalidCommand
from services.router.channels.base import Unreachable
from services.router.channels.slack import SlackChannel
from services.router.covering import Absence, Covering
from services.router.domain.absence import day_of, until_words
from services.router.slack.actors import Actors
from services.router.slack.away import Away, NotUnderstood, parse_away
from services.router.slack.submissions import Author
from shared.clock import Clock


@dataclass(frozen=True)
class AwayDesk:
    """Answers are sentences for the person. The cases move within seconds, not within Slack's three."""

    covering: Covering
    actors: Actors
    channel: SlackChannel
    clock: Clock

    async def away(self, author: Author, text: str) -> str:
        """Raises NotAllowed where the cover cannot act in Slack."""
        try:
            wish = parse_away(text, self.clock.now(), author.timezone)
            cover = await self._cover(wish)
            absence = Absence(
                person=author.email,
                cover=cover,
                starts_at=wish.starts_at,
                ends_at=wish.ends_at,
                source="slack",
                created_by=author.email,
                reason=wish.reason,
                timezone=author.timezone or "UTC",
            )
            entered = await self.covering.enter(absence, at_once=False)
        except NotUnderstood as refusal:
            return str(refusal)
        except InvalidCommand as wrong:
            return wrong.text
        item = entered.record.cover
        until = until_words(item, self.clock.now())
        last = f"until {until}" if item.ends_at is None else f"until {until}, which is the last day"
        return f"Noted: you are away {last}. From then on: {entered.words}. `/loops back` ends it."

    async def back(self, author: Author, coming: bool = False) -> str:
        ended, _ = await self.covering.back(author.email, author.email, at_once=False, coming=coming)
        later = await self.covering.coming(author.email)
        more = (
            f" You have an absence to come, from {day_of(later[0].starts_at, later[0].timezone)}: "
            "`/loops back all` takes it back."
            if later
            else ""
        )
        if not ended:
            return f"You were not away.{more}"
        return f"Welcome back. Your cases that are still open come back to you in a moment.{more}"

    async def _cover(self, wish: Away) -> str | None:
        if wish.cover_user is not None:
            return (await self.actors.colleague(wish.cover_user)).email
        if wish.cover_email is not None:
            found = await self.channel.person(wish.cover_email)
            if isinstance(found, Unreachable):
                raise InvalidCommand("cover", f"{wish.cover_email} {found.why}: name somebody else.")
        return wish.cover_email
