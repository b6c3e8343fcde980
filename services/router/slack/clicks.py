"""What people do in Slack, applied in one transaction before it is answered; every answer within Slack's 3 s."""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from services.router.cases import Applied, Cases, InvalidCommand, NotFound, Refused
from services.router.domain import cards, commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.messages import ActionId
from services.router.domain.view import CaseView
from services.router.domain.words import already
from services.router.slack import modals
from services.router.slack.actors import Actors, NotAllowed
from services.router.slack.client import SlackClient
from services.router.slack.homes import Homes
from services.router.slack.interactions import Click, Submission, Turn, Unheard, read
from services.router.slack.replies import Replies
from services.router.slack.reveals import Reveals
from services.router.slack.submissions import Author, FieldErrors, to_command
from services.router.store import notices
from services.router.store.views import load_view
from shared.clock import Clock
from shared.db.engine import Database
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

Answer = dict[str, Any] | None
TRY_AGAIN = "Could not save, your text is still here: try again."
_NOT_SAVED = "Could not save that just now, nothing was changed. Please try again."
_UNKNOWN_BUTTON = "This button is of an older version. Please use the newest message of the case, or `/loops`."
_READ_SECONDS, _WRITE_SECONDS, _OPEN_SECONDS = 0.8, 1.5, 2.0
_ANSWER_SECONDS = 2.2


@dataclass
class Clicks:
    """`wake` tells the sender in this process that cards have changed."""

    database: Database
    cases: Cases
    clock: Clock
    client: SlackClient
    actors: Actors
    replies: Replies
    wake: asyncio.Event
    reveals: Reveals
    homes: Homes

    async def handle(self, payload: Any) -> Answer:
        """The body of the 200 answer; None for an empty one. Never raises."""
        intent = read(payload)
        try:
            match intent:
                case Click():
                    await self._click(intent)
                case Submission():
                    return await self._submit(intent)
                case Turn():
                    self.homes.turned(intent)
                case Unheard():
                    self._tell(intent, _UNKNOWN_BUTTON)
        except Exception:
            # The payload is not logged: it carries what people wrote.
            log.exception("interaction_failed", intent=type(intent).__name__)
            if isinstance(intent, Submission):
                return _errors(intent, {}, "Something went wrong on our side; your text is still here. Try again.")
            if isinstance(intent, Click | Unheard):
                self._tell(intent, "Something went wrong on our side. Please try again.")
        return None

    def _tell(self, intent: Click | Unheard, words: str) -> None:
        self.replies.tell(intent.response_url, words, intent.trigger_id)

    async def _click(self, click: Click) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._do(click)
        except (Refused, NotAllowed, NotFound, InvalidCommand) as refusal:
            self._tell(click, str(getattr(refusal, "text", refusal)))
        except (DatabaseUnavailable, TimeoutError):
            self._tell(click, _NOT_SAVED)
            return
        await self._adopt(click)

    async def _do(self, click: Click) -> None:
        author = await self.actors.author(click.user)
        if click.action is ActionId.REVEAL:
            await self.reveals.show(click, author)
            return
        view = await self._view(click.case_id)
        if modals.needed(click.action, view):
            if view is not None and view.case.status not in cards.ALLOWED[click.action]:
                raise Refused(already(view.case))
            await self._open(click, view)
            return
        applied = await self._apply(click, _command(click, author))
        if applied.repeated:
            self._tell(click, applied.text)
        if click.home is not None:
            self.homes.turned(click.home)

    async def _submit(self, submission: Submission) -> Answer:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._enter(submission)
        except FieldErrors as wrong:
            return _errors(submission, wrong.errors)
        except InvalidCommand as wrong:
            return _errors(submission, {wrong.field: wrong.text})
        except (Refused, NotAllowed, NotFound) as refusal:
            return _errors(submission, {}, str(getattr(refusal, "text", refusal)))
        except (DatabaseUnavailable, TimeoutError):
            return _errors(submission, {}, TRY_AGAIN)
        return {"response_action": "clear"}

    async def _enter(self, submission: Submission) -> None:
        author = await self.actors.author(submission.user)
        owner = None
        if submission.action is ActionId.REASSIGN:
            try:
                owner = (await self.actors.colleague(submission.values.get("new_owner"))).email
            except NotAllowed as refusal:
                raise FieldErrors({"new_owner": str(refusal)}) from refusal
        await self._apply(submission, to_command(submission, author, self.clock.now(), owner))

    async def _view(self, case_id: str) -> CaseView | None:
        """The case as it is now; None when the database does not answer in time. Raises NotFound."""
        try:
            async with asyncio.timeout(_READ_SECONDS), self.database.read() as connection:
                view = await load_view(connection, case_id)
        except (DatabaseUnavailable, TimeoutError):
            return None
        if view is None:
            raise NotFound(f"There is no case {case_id}.")
        return view

    async def _apply(self, intent: Click | Submission, command: commands.PersonCommand) -> Applied:
        # Sent once more after a time-out the same command is a repeat (G8), whether this one was committed or not.
        async with asyncio.timeout(_WRITE_SECONDS), self.database.transaction(urgent=True) as tx:
            applied = await self.cases.apply(tx, intent.case_id, command, self.clock.now())
        self.wake.set()
        self.homes.changed(intent.user.id)
        return applied

    async def _open(self, click: Click, view: CaseView | None) -> None:
        version = view.case.version if view is not None else click.version
        body = modals.modal(click.action, click.case_id, click.notice_id, version, view, self.clock.now())
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await self.client.web.views_open(trigger_id=click.trigger_id, view=body)
        except Exception as error:
            log.warning("modal_not_opened", action=click.action.value, error=type(error).__name__)
            self._tell(click, "Slack did not open the form in time. Please click again.")

    async def _adopt(self, click: Click) -> None:
        """Whatever becomes of what was asked: a click proves that the message is there, even where Slack's answer to
        us was lost."""
        if not (click.notice_id and click.ts and click.place):
            return
        try:
            async with asyncio.timeout(_READ_SECONDS):
                async with self.database.read() as connection:
                    row = await notices.find(connection, click.notice_id)
                if row is None or row.state in ("sent", "dead"):
                    return
                async with self.database.transaction(urgent=True) as tx:
                    if click.case_id in await self.cases.hold(tx, [click.case_id]):
                        await self._seen(tx, click)
        except (DatabaseUnavailable, TimeoutError):
            return
        self.wake.set()

    async def _seen(self, tx: Any, click: Click) -> None:
        now = self.clock.now()
        row = await notices.adopt(tx, click.notice_id, click.case_id, click.place, click.ts, now)
        if row is not None and row.since is not None:
            seen = commands.RecordAlert(actor=SYSTEM, notice_id=row.id, role=row.role, sent_at=now, since=row.since)
            await self.cases.apply(tx, row.case_id, seen, now)


def _command(click: Click, author: Author) -> commands.PersonCommand:
    if click.action is ActionId.ACKNOWLEDGE:
        return commands.Acknowledge(actor=author.email, version=click.version)
    return commands.ConfirmClosed(actor=author.email, version=click.version)


def _errors(submission: Submission, errors: dict[str, str], other: str = "") -> Answer:
    """Errors under their fields; what belongs to no field stands under the first. Without any input: just close."""
    if not submission.fields:
        return None
    shown = {field: text for field, text in errors.items() if field in submission.fields}
    lost = [text for field, text in errors.items() if field not in submission.fields]
    rest = " ".join([*lost, *([other] if other else [])])
    if rest:
        first = submission.fields[0]
        shown[first] = f"{shown[first]} {rest}" if first in shown else rest
    return {"response_action": "errors", "errors": shown}
