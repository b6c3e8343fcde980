"""What each kind of notice says: the card itself, and the messages that call somebody back to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.router.domain import cards, history, scores, spans
from services.router.domain.decision import NoticeKind
from services.router.domain.digests import digest
from services.router.domain.masking import masked, masked_value
from services.router.domain.messages import Action, ActionId, Instant, Line, Message, Person, Strong
from services.router.domain.view import CaseView, ResponseView

# Roots of their own; every other kind goes into the thread of the recipient's card.
ROOTS = frozenset({NoticeKind.CARD, NoticeKind.CLOSE_OUT, NoticeKind.CLOSE_OUT_REMINDER, NoticeKind.DIGEST})
_ROLES = {
    "owner": "you own this account",
    "support_lead": "you lead support",
    "csm_manager": "you manage the account's CSM",
    "fallback_owner": "you are the fallback owner",
}
_STILL_FIXED = Action(ActionId.CONFIRM_CLOSED, "Yes, still fixed", primary=True)
_NOT_FIXED = Action(ActionId.STILL_OPEN, "No, still open")


@dataclass(frozen=True, slots=True)
class Notice:
    """What composing needs of a notice: `data` as the case's decision left it, `recipient` an e-mail."""

    kind: NoticeKind
    recipient: str
    role: str
    data: Mapping[str, Any]


def compose(notice: Notice, view: CaseView, now: datetime, case_url: str | None = None) -> Message:
    """The message as `now` has it; composing again gives the newest state of the case. What people wrote is masked."""
    shown = replace(notice, data={key: masked_value(value) for key, value in notice.data.items()})
    return _COMPOSERS[notice.kind](shown, masked(view), now, case_url)


def obsolete(kind: NoticeKind, view: CaseView) -> bool:
    """Whether the cause of a not yet sent notice has gone: nobody is called to what is done already."""
    case = view.case
    if kind in (NoticeKind.CLOSE_OUT, NoticeKind.CLOSE_OUT_REMINDER):
        return case.close_out_due_at is None or case.ended
    if kind is NoticeKind.REMINDER:
        return not case.waiting_clocks or case.ended
    if kind is NoticeKind.ESCALATION:
        return case.ended
    return False


def why(notice: Notice, view: CaseView) -> str:
    """Why this person is told, in words. Somebody who had the case before watches it."""
    case = view.case
    if notice.role == "owner" and notice.recipient not in (case.owner, case.support_lead):
        away = case.covers_for == notice.recipient
        return f"you watch it while {case.owner} covers for you" if away else f"you had it before {case.owner}"
    given = notice.data.get("why")
    if given:
        return str(given)
    if notice.role == "owner":
        return view.case.owner_reason or _ROLES["owner"]
    return _ROLES.get(notice.role, notice.role.replace("_", " "))


def _card(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    """Somebody who is escalated to without having a card gets one that says so."""
    card = cards.card(view, why(notice, view), now, case_url)
    if not _escalates(notice) or view.case.ended:
        return card
    called = _lateness(notice, view, now)
    return replace(card, lines=((Strong("Escalation"), f": {called}"), *card.lines), text=f"Escalation. {card.text}")


def _joined(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    response = _response(view, notice.data.get("response_id"))
    if response is None:
        return _call(notice, view, (Strong("More on this account"), ": ", _words(notice)))
    news = cards.news(view.case, response).replace("Low score", "Another low score")
    intro: Line = (Strong(news), f": {scores.in_words(response)} from {cards.contact(response)}")
    ticket = cards.ticket_link(response)
    lines = (*((("Ticket ", *ticket),) if ticket else ()), _due_line(view))
    return _call(notice, view, intro, lines=lines, quote=response, case_url=case_url)


def _reopened(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    return _call(notice, view, (Strong("Open again"), ": ", _words(notice)), lines=(_due_line(view),))


def _reminder(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    waiting = view.case.waiting_clocks
    left = spans.due_in_words(waiting[0].due_at, now).lower() if waiting else "please look at it"
    missed = int(notice.data.get("collapsed", 0))
    more = f" (and {missed} earlier reminder{'s' if missed > 1 else ''})" if missed else ""
    return _call(notice, view, (Strong("Reminder"), f": the first touch is {left}{more}"), lines=(_due_line(view),))


def _escalation(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    return _call(notice, view, (Strong("Escalation"), f": {_lateness(notice, view, now)}"))


def _escalates(notice: Notice) -> bool:
    return "step" in notice.data or "close_out" in notice.data


def _lateness(notice: Notice, view: CaseView, now: datetime) -> str:
    owner = view.case.owner
    if notice.data.get("close_out"):
        return f"nobody has answered the close-out question; owner {owner}"
    waiting = view.case.waiting_clocks
    late = spans.due_in_words(waiting[0].due_at, now).lower() if waiting else "made meanwhile"
    return f"the first touch is {late}; owner {owner}"


def _close_out(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    again = notice.kind is NoticeKind.CLOSE_OUT_REMINDER
    question = "Reminder: is it still fixed?" if again else "Is it still fixed?"
    intro: Line = (Strong(question), f" {_promised(notice, view)}Ask the customer.")
    lines = (history.touched_line(view.touch),) if view.touch is not None else ()
    return _call(notice, view, intro, lines=lines, buttons=(_STILL_FIXED, _NOT_FIXED))


def _promised(notice: Notice, view: CaseView) -> str:
    """The promise the question is about, in the words of the touch."""
    words = history.promise(view.touch)
    if view.touch is None or not words:
        return ""
    who = "You" if view.touch.by == notice.recipient else history.name_of(view.touch.by)
    return f"{who} promised: {words}. Was that kept? "


def _note(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    """News of the case; without words of its own, somebody who has a card got a new part in it."""
    words = notice.data.get("words")
    intro: Line = (
        (Strong("News"), f": {words}") if words else (Strong("This case now needs you"), ": ", why(notice, view))
    )
    return _call(notice, view, intro)


def _digest(notice: Notice, view: CaseView, now: datetime, case_url: str | None) -> Message:
    base = case_url.removesuffix(view.case.id) if case_url else None
    return digest(notice.recipient, view.case, notice.data, base)


def _call(
    notice: Notice,
    view: CaseView,
    intro: Line,
    lines: tuple[Line, ...] = (),
    buttons: tuple[Action, ...] = (),
    quote: ResponseView | None = None,
    case_url: str | None = None,
) -> Message:
    """A short message that names the account and mentions whom it calls."""
    case = view.case
    words = [f"{plain(intro)} – {case.account_name}, {case.id}."]
    if quote is not None and quote.comment:
        words.append(cards.said(quote.comment))
    return Message(
        case_id=case.id,
        rev=case.version,
        headline=(Person(notice.recipient), " · ", *intro),
        text=" ".join(words),
        quote=cards.quote(quote, case_url) if quote is not None else None,
        lines=lines,
        context=((f"{case.account_name} · {case.id} · {cards.state_word(case)} · why you: {why(notice, view)}",),),
        buttons=buttons,
        mention=(notice.recipient,),
    )


def plain(line: Line) -> str:
    """A line as plain text, instants in UTC."""
    return "".join(_plain(part) for part in line)


def _plain(part: object) -> str:
    match part:
        case Person(email):
            return email
        case Instant(at):
            return spans.utc_minute(at)
        case str():
            return part
        case _:
            return str(getattr(part, "text", ""))


def _due_line(view: CaseView) -> Line:
    waiting = view.case.waiting_clocks
    return ("First touch due ", Instant(waiting[0].due_at)) if waiting else ("No touch is due",)


def _response(view: CaseView, response_id: object) -> ResponseView | None:
    return next((response for response in view.responses if response.id == response_id), None)


def _words(notice: Notice) -> str:
    return str(notice.data.get("words") or "see the card")


_COMPOSERS: dict[NoticeKind, Callable[[Notice, CaseView, datetime, str | None], Message]] = {
    NoticeKind.CARD: _card,
    NoticeKind.JOINED: _joined,
    NoticeKind.REOPENED: _reopened,
    NoticeKind.REMINDER: _reminder,
    NoticeKind.ESCALATION: _escalation,
    NoticeKind.CLOSE_OUT: _close_out,
    NoticeKind.CLOSE_OUT_REMINDER: _close_out,
    NoticeKind.NOTE: _note,
    NoticeKind.DIGEST: _digest,
}
