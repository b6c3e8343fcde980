"""The live card of a case: state, score, the customer's words, the facts to act on, and what can be done next."""

from datetime import datetime, timedelta

from services.router.domain import history, scores, spans
from services.router.domain.case import ENDED, Case, Severity, Status
from services.router.domain.messages import (
    Action,
    ActionId,
    Field,
    Instant,
    Line,
    Link,
    Message,
    Part,
    Person,
    Quote,
    Strong,
)
from services.router.domain.view import AccountView, CaseView, ResponseView

COMMENT_LIMIT = 500
_TRUST_STATUS = timedelta(hours=36)
_EMOJI = {
    Status.OPEN: "🔴",
    Status.ACKNOWLEDGED: "🟡",
    Status.TOUCHED: "🔵",
    Status.RESOLVED: "🟢",
    Status.CLOSED: "✅",
    Status.DISMISSED: "⚪",
}
_ANY = frozenset(Status)
_NOT_CLOSED = _ANY - {Status.CLOSED}
_AFTER_TOUCH = frozenset({Status.TOUCHED, Status.RESOLVED})

# DESIGN 4, "Case states": from which states each action may be asked for. Confirming before a touch is for a customer
# who has left, nothing else.
ALLOWED: dict[ActionId, frozenset[Status]] = {
    ActionId.ACKNOWLEDGE: frozenset({Status.OPEN, Status.ACKNOWLEDGED}),
    ActionId.LOG_TOUCH: frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.TOUCHED}),
    ActionId.REASSIGN: _NOT_CLOSED,
    ActionId.SNOOZE: _ANY - ENDED,
    ActionId.RESOLVE: frozenset({Status.TOUCHED}),
    ActionId.CONFIRM_CLOSED: _ANY - ENDED,
    ActionId.STILL_OPEN: _AFTER_TOUCH,
    ActionId.REOPEN: ENDED,
    ActionId.DISMISS: _NOT_CLOSED,
    ActionId.REVEAL: _ANY,
}
_ACKNOWLEDGE = Action(ActionId.ACKNOWLEDGE, "Acknowledge", primary=True)
_LOG_TOUCH = Action(ActionId.LOG_TOUCH, "Log touch")
_FIRST_LOG_TOUCH = Action(ActionId.LOG_TOUCH, "Log touch", primary=True)
_REASSIGN = Action(ActionId.REASSIGN, "Reassign")
_SNOOZE = Action(ActionId.SNOOZE, "Snooze")
_RESOLVE = Action(ActionId.RESOLVE, "Resolve", primary=True)
_CONFIRM = Action(ActionId.CONFIRM_CLOSED, "Confirm closed", primary=True)
_STILL_OPEN = Action(ActionId.STILL_OPEN, "Still open")
_REOPEN = Action(ActionId.REOPEN, "Reopen")
_DISMISS = Action(ActionId.DISMISS, "Dismiss…")
_LEFT = Action(ActionId.CONFIRM_CLOSED, "Customer has left…")
_BUTTONS = {
    Status.OPEN: (_ACKNOWLEDGE, _LOG_TOUCH, _REASSIGN, _SNOOZE),
    Status.ACKNOWLEDGED: (_FIRST_LOG_TOUCH, _REASSIGN, _SNOOZE),
    Status.TOUCHED: (_RESOLVE, _LOG_TOUCH, _REASSIGN),
    Status.RESOLVED: (_CONFIRM, _STILL_OPEN),
    Status.CLOSED: (_REOPEN,),
    Status.DISMISSED: (_REOPEN,),
}


def card(view: CaseView, why: str, now: datetime, case_url: str | None = None) -> Message:
    """The card as `now` has it. `why` tells the recipient why it came to them."""
    case = view.case
    newest = newest_response(view)
    return Message(
        case_id=case.id,
        rev=case.version,
        headline=headline(view, newest, case_url),
        text=sentence(view, newest),
        quote=quote(newest, case_url),
        lines=(*_reasons(newest), *_given_again(view), *_promise(view)),
        fields=_fields(view, newest),
        context=(*_away(view, now), *_context(view, why, now)),
        buttons=() if case.merged_into else _BUTTONS[case.status],
        overflow=() if case.ended else (_DISMISS, _LEFT),
        mention=(case.support_lead,) if case.support_lead and _away(view, now) else (),
    )


def page_of(case_base: str | None, case_id: str) -> str | None:
    """Where the console shows the case; None without the console's address."""
    return f"{case_base.rstrip('/')}/cases/{case_id}" if case_base else None


def newest_response(view: CaseView) -> ResponseView | None:
    """The response the card is about: the newest that still stands."""
    standing = [response for response in view.responses if not response.withdrawn]
    return next(iter(standing or view.responses), None)


def headline(view: CaseView, response: ResponseView | None, case_url: str | None = None) -> Line:
    """State as a word, account, score, and how many people are unhappy."""
    case = view.case
    parts: list[Part] = [f"{_EMOJI[case.status]} ", Strong(state_word(case)), " · ", Link(case.account_name, case_url)]
    if response is not None and response.normalised_score is not None:
        parts += [" · ", Strong(scores.in_words(response))]
    if case.severity in (Severity.HIGH, Severity.CRITICAL):
        parts.append(f" · {case.severity.value} severity")
    crowd = _crowd(view)
    if crowd:
        parts.append(f" · {crowd}")
    return tuple(parts)


def state_word(case: Case) -> str:
    if case.merged_into:
        return f"Merged into {case.merged_into}"
    word = case.status.value.capitalize()
    return f"{word} (reopened {case.reopened}×)" if case.reopened and not case.ended else word


def sentence(view: CaseView, response: ResponseView | None) -> str:
    """Everything a push notification needs, as plain text."""
    case = view.case
    scored = response is not None and response.normalised_score is not None
    what = f"{news(case, response)}: {scores.in_words(response)} from" if response and scored else "Follow-up needed:"
    parts = [f"{what} {case.account_name}.", f"{state_word(case)}, owner {case.owner}."]
    if case.waiting_clocks:
        parts.append(f"First touch due {spans.utc_minute(case.waiting_clocks[0].due_at)}.")
    if response is not None and response.comment:
        parts.append(said(response.comment))
    return " ".join(parts)


def news(case: Case, response: ResponseView) -> str:
    """What the response is: a good score needs a person too, when its ticket was opened again."""
    causes = {clock.cause for clock in case.clocks if clock.response_id == response.id}
    return "Ticket reopened" if causes == {"ticket_reopened"} else "Low score"


def said(comment: str) -> str:
    """The customer's words as far as a push notification shows them."""
    return f"“{_clip(comment, 200)}”"


def quote(response: ResponseView | None, case_url: str | None) -> Quote:
    comment = (response.comment or "").strip() if response is not None else ""
    if not comment:
        return Quote("")
    return Quote(_clip(comment, COMMENT_LIMIT), cut=len(comment) > COMMENT_LIMIT, more=case_url)


def ticket_link(response: ResponseView) -> Line:
    if not response.ticket_id:
        return ()
    title = f"#{response.ticket_id}" + (f" {_clip(response.subject, 100)}" if response.subject else "")
    return (Link(title, response.ticket_url), *((f" ({response.ticket_status})",) if response.ticket_status else ()))


def contact(response: ResponseView) -> str:
    """Name and role, or the e-mail, or that nobody is known."""
    who = response.requester_name or response.requester_email or "unknown"
    role = (response.requester_role or "").replace("_", " ")
    return f"{who} ({role})" if role else who


def _crowd(view: CaseView) -> str:
    standing = [response for response in view.responses if not response.withdrawn]
    people = {response.requester_email or response.requester_name or response.id for response in standing}
    if len(people) > 1:
        return f"now {len(people)} people"
    counted = len(standing) - len(_repeats(view))
    return f"{counted} responses" if counted > 1 else ""


def _repeats(view: CaseView) -> list[ResponseView]:
    """What was given again, or by a robot, has no clock of its own and is shown as one with the other."""
    promised = {clock.response_id for clock in view.case.clocks}
    return [response for response in view.responses if not response.withdrawn and response.id not in promised]


def _given_again(view: CaseView) -> tuple[Line, ...]:
    again = len(_repeats(view))
    return ((f"Given {again + 1} times, shown once.",),) if again and again < len(view.responses) else ()


def _reasons(response: ResponseView | None) -> tuple[Line, ...]:
    if response is None or not response.reasons:
        return ()
    why: Line = ("Why flagged: ", "; ".join(response.reasons))
    return (why, *_late(response))


def _promise(view: CaseView) -> tuple[Line, ...]:
    promised = history.promise(view.touch)
    return ((Strong("Promised"), f": {promised}"),) if promised and not view.case.ended else ()


def _late(response: ResponseView) -> tuple[Line, ...]:
    """That no webhook brought it, so that nobody wonders why it comes only now."""
    if response.detected_by != "reconciler":
        return ()
    minutes = max(0, int((response.received_at - response.occurred_at).total_seconds() // 60))
    return ((f"Found by reconciliation, {minutes} minute{'' if minutes == 1 else 's'} after it was given.",),)


def _fields(view: CaseView, response: ResponseView | None) -> tuple[Field, ...]:
    case = view.case
    fallback = " (fallback)" if "fallback" in case.owner_reason else ""
    covering = f" covers for {history.name_of(case.covers_for)}" if case.covers_for else ""
    owner: Line = (Person(case.owner), *((fallback + covering,) if fallback or covering else ()))
    fields = [Field("Owner", owner), Field("First touch due", _due(case))]
    if response is not None:
        fields.insert(0, Field("Contact", (contact(response),)))
        if response.ticket_id:
            fields.insert(1, Field("Ticket", ticket_link(response)))
    if case.support_lead and case.support_lead != case.owner:
        fields.append(Field("Support lead", (Person(case.support_lead),)))
    fields += _account_fields(view.account)
    if view.earlier_low:
        fields.append(Field("Earlier low scores (90 days)", (str(view.earlier_low),)))
    return tuple(fields)


def _account_fields(account: AccountView | None) -> list[Field]:
    if account is None:
        return []
    fields = []
    money = f"{account.currency or ''} {account.arr:,.0f}".strip() if account.arr is not None else ""
    worth = " · ".join(part for part in (money, account.tier, account.segment) if part)
    if worth:
        fields.append(Field("ARR / tier", (worth,)))
    if account.renewal_date:
        fields.append(Field("Renewal", (spans.day(account.renewal_date),)))
    return fields


def _due(case: Case) -> Line:
    if case.waiting_clocks:
        return (Instant(case.waiting_clocks[0].due_at),)
    if case.touched_at:
        return ("touched ", Instant(case.touched_at), f" ({case.proof.value})" if case.proof else "")
    return ("not promised",)


def _context(view: CaseView, why: str, now: datetime) -> tuple[Line, ...]:
    first: Line = (f"{clock_in_words(view.case, now)} · {view.case.id} · why you: {why}",)
    last = history.last_event(view.last_entry, view.touch)
    return (first, last) if last else (first,)


def _away(view: CaseView, now: datetime) -> tuple[Line, ...]:
    """The owner's status looks like an absence: said to both, so that the lead can take over. Silences nothing."""
    hint, case = view.owner_away, view.case
    if hint is None or case.ended or not case.waiting_clocks:
        return ()
    if now - hint.seen_at > _TRUST_STATUS or (hint.until is not None and hint.until <= now):
        return ()
    until: Line = (" until ", Instant(hint.until)) if hint.until is not None else ()
    return ((Strong("Owner looks away"), *until, f": Slack status “{hint.words}”"),)


def clock_in_words(case: Case, now: datetime) -> str:
    """What is due next, and when: `Due in 3 h 40 m`, `Close-out in 6 d`."""
    if case.ended:
        return state_word(case)
    if case.waiting_clocks:
        return spans.due_in_words(case.waiting_clocks[0].due_at, now)
    if case.close_out_due_at is None:
        return state_word(case)
    left = case.close_out_due_at - now
    return f"Close-out in {spans.in_words(left)}" if left.total_seconds() > 0 else "Close-out due"


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
