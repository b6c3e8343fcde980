"""The Reveal button: what a channel hides, shown to one person who has the right, and journaled before it is."""

import asyncio
from dataclasses import dataclass

from services.router.cases import Cases, NotFound
from services.router.domain import redaction
from services.router.domain.commands import RecordReveal
from services.router.slack.actors import NotAllowed
from services.router.slack.interactions import Click
from services.router.slack.replies import Replies
from services.router.slack.submissions import Author
from services.router.store.views import load_view
from shared.clock import Clock
from shared.db.engine import Database
from shared.policy import Policy

_SECONDS = 2.0
_REFUSAL = "Only the case's owner, the leads, the account's people and those in [privacy] may_reveal may see this."


@dataclass
class Reveals:
    database: Database
    cases: Cases
    clock: Clock
    policy: Policy
    replies: Replies

    async def show(self, click: Click, author: Author) -> None:
        """Raises NotFound, NotAllowed, and DatabaseUnavailable or TimeoutError: then nothing is shown."""
        privacy, routing = self.policy.privacy, self.policy.routing
        # Nothing is hidden there any more: whoever still has the button means everything.
        hidden = redaction.hidden_in(click.place, privacy, routing) or redaction.EVERYTHING
        async with asyncio.timeout(_SECONDS), self.database.transaction() as tx:
            view = await load_view(tx, click.case_id)
            if view is None:
                raise NotFound(f"There is no case {click.case_id}.")
            if not redaction.may_reveal(author.email, view.case, view.account, privacy, routing):
                raise NotAllowed(_REFUSAL)
            looked = RecordReveal(actor=author.email, fields=tuple(sorted(hidden)), where=click.place)
            await self.cases.apply(tx, click.case_id, looked, self.clock.now())
        self.replies.tell(click.response_url, redaction.in_words(view, hidden))
