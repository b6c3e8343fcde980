"""The Home tab: a person's open cases by what is due, a page at a time, within Block Kit's limits for views. Pure.

Limits: https://docs.slack.dev/reference/views/home-tab-views (100 blocks).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from services.router.domain import cards, history
from services.router.domain.agenda import Agenda, Part
from services.router.domain.masking import masked
from services.router.domain.messages import HomeAction, Instant, Line, Message
from services.router.domain.messages import Part as Words
from services.router.domain.redaction import redact
from services.router.domain.view import CaseView
from services.router.slack import mrkdwn
from services.router.slack.blocks import Block, button, button_value, compact, mrkdwn_text, plain_text, section
from services.router.slack.lists import HELP
from services.router.slack.mrkdwn import Mentions

_TITLES = {
    Part.OVERDUE: ("🔴", "overdue"),
    Part.TODAY: ("🟠", "due today"),
    Part.LATER: ("🟡", "due later"),
    Part.CLOSE_OUT: ("🔵", "awaiting close-out"),
}
_HEADLINE, _SAID, _CONTEXT = 420, 200, 300
_BUTTONS = 2

Item = tuple[Part, CaseView]


def home(
    agenda: Agenda,
    items: Sequence[Item],
    page: int,
    now: datetime,
    mentions: Mentions,
    case_base: str | None = None,
    hidden: Collection[str] = (),
) -> dict[str, Any]:
    """The view for views.publish. `items` are those of `page`, counted from 0, in order; `hidden` is what the person
    is not shown in their own messages either."""
    blocks = [_heading(agenda), section(_counts(agenda)), *_beside(agenda)]
    shown: Part | None = None
    for part, view in items:
        if part is not shown:
            blocks += [{"type": "divider"}, section(f"*{_title(part)}* ({agenda.counts[part]})")]
            shown = part
        blocks += _case(part, view, now, mentions, case_base, hidden)
    blocks += [{"type": "divider"}, *_turns(agenda, page), _context(("As of ", Instant(now)), mentions)]
    blocks.append({"type": "context", "elements": [mrkdwn_text(HELP)]})
    return _view(blocks, page)


def refused(words: str) -> dict[str, Any]:
    """For somebody who may not act on cases."""
    return _view([section(mrkdwn.cut(mrkdwn.escape(words), _SAID * 10))], 0)


def _view(blocks: list[Block], page: int) -> dict[str, Any]:
    return {"type": "home", "private_metadata": compact({"page": page}), "blocks": blocks}


def _heading(agenda: Agenda) -> Block:
    words = f"Your open cases: {agenda.total}" if agenda.total else "Nothing is open with you"
    return {"type": "header", "text": plain_text(words)}


def _counts(agenda: Agenda) -> str:
    return "   ".join(f"{_TITLES[part][0]} *{agenda.counts[part]}* {_TITLES[part][1]}" for part in Part)


def _title(part: Part) -> str:
    emoji, words = _TITLES[part]
    return f"{emoji} {words.capitalize()}"


def _beside(agenda: Agenda) -> list[Block]:
    """What is theirs too, though others act on it."""
    words = []
    if agenda.covered:
        one = agenda.covered == 1
        words.append(f"While you are away your cover has {agenda.covered} of your cases.")
        words.append(f"{'It comes' if one else 'They come'} back with you: `/loops back`.")
    if agenda.led:
        words.append(f"You are the support lead of {agenda.led} more: `/loops team` lists them.")
    return [_context((" ".join(words),), {})] if words else []


def _case(
    part: Part, view: CaseView, now: datetime, mentions: Mentions, case_base: str | None, hidden: Collection[str]
) -> list[Block]:
    """What it is, what the customer said or was promised, what is due, and what to do next."""
    known = masked(redact(view, hidden))
    card = cards.card(known, "", now, cards.page_of(case_base, view.case.id))
    name = f"home:{view.case.id}"
    text = mrkdwn.line(card.headline, mentions, _HEADLINE)
    said = _promised(known) if part is Part.CLOSE_OUT else _said(card)
    blocks = [
        {**section(f"{text}\n{said}" if said else text), "block_id": f"{name}:head"},
        {**_context(_facts(known, now), mentions), "block_id": f"{name}:facts"},
    ]
    if card.buttons:
        value = compact(button_value(card, ""))
        elements = [button(action, value) for action in card.buttons[:_BUTTONS]]
        blocks.append({"type": "actions", "block_id": f"{name}:do", "elements": elements})
    return blocks


def _said(card: Message) -> str:
    return mrkdwn.quoted(card.quote.text, _SAID, 1) if card.quote is not None and card.quote.text.strip() else ""


def _promised(view: CaseView) -> str:
    promised = history.promise(view.touch)
    return f"*Promised:* {mrkdwn.cut(mrkdwn.escape(promised), _SAID)}" if promised else ""


def _facts(view: CaseView, now: datetime) -> Line:
    case = view.case
    due = case.waiting_clocks[0].due_at if case.waiting_clocks else case.close_out_due_at
    facts: list[Words] = [f"{cards.clock_in_words(case, now)} · "]
    facts += [Instant(due), " · "] if due is not None else []
    facts.append(case.id)
    newest = cards.newest_response(view)
    if newest is not None:
        facts.append(f" · {cards.contact(newest)}")
    if case.covers_for:
        facts.append(f" · covers for {history.name_of(case.covers_for)}")
    return tuple(facts)


def _turns(agenda: Agenda, page: int) -> list[Block]:
    if agenda.pages == 1:
        return []
    turns = []
    if page > 0:
        turns.append(_turn(HomeAction.PREVIOUS, "◀ Previous", page - 1))
    if page < agenda.pages - 1:
        turns.append(_turn(HomeAction.NEXT, "Next ▶", page + 1))
    where = {"type": "context", "elements": [mrkdwn_text(f"Page {page + 1} of {agenda.pages}")]}
    return [{"type": "actions", "block_id": "home:pages", "elements": turns}, where]


def _turn(action: HomeAction, label: str, page: int) -> Block:
    return {
        "type": "button",
        "action_id": action.value,
        "text": plain_text(label),
        "accessibility_label": f"{action.value.removeprefix('home.').capitalize()} page, number {page + 1}",
        "value": compact({"page": page}),
    }


def _context(line: Line, mentions: Mentions) -> Block:
    return {"type": "context", "elements": [mrkdwn_text(mrkdwn.line(line, mentions, _CONTEXT))]}
