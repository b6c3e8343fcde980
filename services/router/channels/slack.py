"""Slack as a channel: finds people and their DMs, posts, updates, and looks for a post whose answer was lost."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from services.router.channels.base import (
    BadMessage,
    Channel,
    Gone,
    NotSent,
    Outcome,
    Parked,
    Post,
    RateLimited,
    Reachable,
    Sent,
    Shelf,
    Standing,
    Unknown,
    Unreachable,
)
from services.router.slack import blocks
from services.router.slack.client import SlackClient, data_of
from services.router.slack.errors import THREAD, classify, code_of
from services.router.slack.members import Home, away_hint, unfit
from shared import ids

log = structlog.get_logger(__name__)

EVENT_TYPE = "closeloop_notice"
SHARED_CHANNEL = "the channel is shared with another company, whose people could read it"
_LOOK_BACK = timedelta(seconds=120)
_PAGE, _MOST_PAGES = 200, 10
_NOBODY = {
    "users_not_found": "has no active Slack account",
    "user_not_found": "has no active Slack account",
    "user_disabled": "is deactivated in Slack",
    "user_not_visible": "cannot be seen by the app in Slack",
    "cannot_dm_bot": "is a bot in Slack",
}
_CHECKED_FOR = 600.0  # seconds for which a channel is trusted not to have become a shared one
SHARED_MARKS = ("is_ext_shared", "is_org_shared", "is_pending_ext_shared")
_NOT_OURS = ("cant_delete_message", "compliance_exports_prevent_deletion")
_DUPLICATE = ("duplicate_message_not_found", "duplicate_channel_not_found")


class SlackChannel(Channel):
    name = "slack"

    def __init__(self, client: SlackClient, slack_users: Mapping[str, str] | None = None) -> None:
        """`slack_users` is [routing.slack_users]: the Slack id of people whose e-mail there is another."""
        self._client = client
        self._slack_users = slack_users or {}
        self._own_until: dict[str, float] = {}
        self._groups: set[str] = set()

    async def person(self, email: str) -> Reachable | Unreachable | NotSent | RateLimited:
        """A full, active member of the workspace with this e-mail, or mapped to it, and the DM with them."""
        try:
            user, home = await self._user(email)
            why = unfit(user, home)
            if why:
                return Unreachable(email, why)
            opened = await self._client.web.conversations_open(users=user["id"])
            hint = away_hint(user)
            away, until = (hint.words, hint.until) if hint is not None else (None, None)
            return Reachable(email, user["id"], opened["channel"]["id"], user.get("tz"), away, until)
        except Exception as error:
            return _lookup_failed(error, email)

    async def group(self, users: tuple[str, ...]) -> str | NotSent | RateLimited | Unreachable:
        try:
            opened = await self._client.web.conversations_open(users=list(users))
            self._groups.add(str(opened["channel"]["id"]))
            return str(opened["channel"]["id"])
        except Exception as error:
            outcome = _lookup_failed(error, "")
            refused = isinstance(error, SlackApiError) and not isinstance(classify(error), Unknown)
            return Unreachable("", outcome.reason) if refused and isinstance(outcome, NotSent) else outcome

    async def send(self, post: Post) -> Outcome:
        """One message; if Slack says that our card is wrong, the same once as plain text. Nothing goes to a channel
        that is shared with another company: customers may read there."""
        refusal = await self._refusal(post.place)
        if refusal is not None:
            return refusal
        return await self._shown(post, lambda card: self._post(post, card))

    async def update(self, post: Post, ts: str) -> Outcome:
        refusal = await self._refusal(post.place)
        if refusal is not None:
            return Gone(refusal.reason, removed=False) if isinstance(refusal, Parked) else refusal
        return await self._shown(post, lambda card: self._update(post.place, ts, card))

    async def look(self, notice_id: str, place: str, thread: str | None, since: datetime) -> Sent | Outcome | None:
        """By the metadata that only our messages carry; the earliest, should there be two."""
        found: list[str] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            page = await self.standing(place, thread, since - _LOOK_BACK, cursor)
            if not isinstance(page, Shelf):
                return page
            found += [message.ts for message in page.messages if message.notice_id == notice_id]
            cursor = page.cursor
            if not cursor:
                return Sent(place, min(found, key=float)) if found else None
        return (
            Sent(place, min(found, key=float)) if found else Unknown("more messages there than can be looked through")
        )

    async def standing(self, place: str, thread: str | None, since: datetime, cursor: str = "") -> Shelf | Outcome:
        try:
            page = await self._history(place, thread, since, cursor)
        except Exception as error:
            return classify(error)
        found = tuple(
            Standing(notice_id, str(message["ts"]), bool(message.get("reply_count")))
            for message in page.get("messages", ())
            if (notice_id := _marker(message)) is not None
        )
        return Shelf(found, (page.get("response_metadata") or {}).get("next_cursor") or "")

    async def remove(self, place: str, ts: str) -> Outcome:
        try:
            await self._client.web.chat_delete(channel=place, ts=ts)
        except SlackApiError as error:
            return Gone(code_of(error), removed=False) if code_of(error) in _NOT_OURS else classify(error)
        except Exception as error:
            return classify(error)
        return Sent(place, ts)

    async def alive(self) -> str | None:
        try:
            await self._client.web.api_test()
            await self._client.web.auth_test()
        except SlackApiError as error:
            return code_of(error) or "Slack answers with an error"
        except Exception as error:
            return type(error).__name__
        return None

    async def _user(self, email: str) -> tuple[dict[str, Any], Home | None]:
        """By e-mail Slack finds our own people only; an id may be anybody's."""
        mapped = self._slack_users.get(email)
        if mapped is None:
            found = await self._client.web.users_lookupByEmail(email=email)
            return data_of(found).get("user") or {}, None
        found = await self._client.web.users_info(user=mapped)
        return data_of(found).get("user") or {}, await self._client.home()

    async def _refusal(self, place: str) -> Parked | NotSent | RateLimited | None:
        """Why nothing may be posted there now. Direct messages, and group messages that we opened, are our own."""
        now = time.monotonic()
        if not place.startswith(("C", "G")) or place in self._groups or self._own_until.get(place, now) > now:
            return None
        try:
            channel = data_of(await self._client.web.conversations_info(channel=place)).get("channel") or {}
        except Exception as error:
            return _unchecked(error)
        if any(channel.get(mark) for mark in SHARED_MARKS):
            log.error("channel_is_shared", channel=place)
            self._own_until.pop(place, None)
            return Parked(SHARED_CHANNEL)
        self._own_until[place] = now + _CHECKED_FOR
        return None

    async def _shown(self, post: Post, put: Callable[[blocks.Rendered], Awaitable[Outcome]]) -> Outcome:
        """The outcome of `put` with the card; if Slack says that our card is wrong, with the same as plain text."""
        try:
            card = blocks.render(post.message, post.notice_id, post.mentions)
        except Exception as error:
            log.exception("card_not_drawn", notice=post.notice_id)
            return BadMessage(type(error).__name__)
        outcome = await put(card)
        if isinstance(outcome, BadMessage):
            log.error("card_refused", notice=post.notice_id, case=post.message.case_id, error=outcome.reason)
            outcome = await put(card.plain)
        return outcome

    async def _post(self, post: Post, card: blocks.Rendered, marked: bool = True) -> Outcome:
        arguments: dict[str, Any] = {"client_msg_id": _client_msg_id(post)} if marked else {}
        if post.thread:
            arguments["thread_ts"] = post.thread
        if card.blocks:
            arguments["blocks"] = card.blocks
        try:
            answer = await self._client.web.chat_postMessage(
                channel=post.place,
                text=card.text,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"d": post.notice_id}},
                unfurl_links=False,
                unfurl_media=False,
                **arguments,
            )
        except SlackApiError as error:
            if marked and code_of(error) in _DUPLICATE:
                # Slack knows the id, and somebody has deleted that message: it is wanted again.
                return await self._post(post, card, marked=False)
            if post.thread and code_of(error) in THREAD:
                return await self._post(replace(post, thread=None), card, marked)
            return classify(error)
        except Exception as error:
            return classify(error)
        sent = data_of(answer)
        if not sent.get("channel") or not sent.get("ts"):
            return Unknown("an answer without the message's ts")
        return Sent(str(sent["channel"]), str(sent["ts"]))

    async def _update(self, place: str, ts: str, card: blocks.Rendered) -> Outcome:
        try:
            await self._client.web.chat_update(channel=place, ts=ts, text=card.text, blocks=card.blocks)
        except Exception as error:
            return classify(error)
        return Sent(place, ts)

    async def _history(self, place: str, thread: str | None, oldest: datetime, cursor: str) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "channel": place,
            "oldest": f"{oldest.timestamp():.6f}",
            "limit": _PAGE,
            "include_all_metadata": True,
        }
        if cursor:
            arguments["cursor"] = cursor
        if thread:
            return data_of(await self._client.web.conversations_replies(ts=thread, **arguments))
        return data_of(await self._client.web.conversations_history(**arguments))


def _lookup_failed(error: Exception, email: str) -> Unreachable | NotSent | RateLimited:
    if isinstance(error, SlackApiError) and code_of(error) in _NOBODY:
        return Unreachable(email, _NOBODY[code_of(error)])
    outcome = classify(error)
    return outcome if isinstance(outcome, RateLimited) else NotSent(getattr(outcome, "reason", "unknown"))


def _unchecked(error: Exception) -> Parked | NotSent | RateLimited | None:
    """What cannot be checked is not posted to. A channel that is not there for us answers for itself."""
    outcome = classify(error)
    if isinstance(outcome, RateLimited | NotSent):
        return outcome
    if isinstance(outcome, Parked):
        why = f"it cannot be checked whether the channel is shared: {outcome.reason}"
        return Parked(why) if outcome.everywhere else None
    return NotSent(getattr(outcome, "reason", "unknown"))


def _marker(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return payload.get("d") if metadata.get("event_type") == EVENT_TYPE else None


def _client_msg_id(post: Post) -> str:
    """The same for every attempt at one notice; not documented by Slack, never relied upon."""
    return ids.derive("client_msg_id", post.notice_id, "again" if post.again else "first")
