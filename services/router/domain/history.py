"""Journal entries as one line for people: who did what, and what the customer can expect."""

from collections.abc import Callable
from datetime import datetime

from services.router.domain import spans
from services.router.domain.arrivals import SYSTEM
from services.router.domain.messages import Instant, Line
from services.router.domain.view import EntryView, TouchView

_PROMISE = 240


def name_of(actor: str) -> str:
    """The readable part of an e-mail; a robot's name as it is."""
    return actor.split("@", 1)[0]


def last_event(entry: EntryView | None, touch: TouchView | None) -> Line:
    """One line about the newest entry; empty when there is nothing to tell beyond the card itself."""
    teller = _TELLERS.get(entry.type) if entry is not None else None
    if entry is None or teller is None:
        return ()
    return teller(entry, touch)


def touched_line(touch: TouchView) -> Line:
    """Who, when, how, and what that rests on."""
    return ("Touched by ", name_of(touch.by), " ", Instant(touch.at), f": {touch.channel} ({touch.proof})")


def promise(touch: TouchView | None) -> str:
    """What the customer was promised, and by when; empty when nothing is known of it."""
    if touch is None or not (touch.next_step or "").strip():
        return ""
    step = " ".join(str(touch.next_step).split())
    short = step if len(step) <= _PROMISE else step[: _PROMISE - 1].rstrip() + "…"
    return f"{short} by {spans.day(touch.next_step_due)}" if touch.next_step_due else short


def _by(verb: str, *texts: str) -> Callable[[EntryView, TouchView | None], Line]:
    """`<verb> by <actor> <time>: <first of the entry's texts>`."""

    def tell(entry: EntryView, _: TouchView | None) -> Line:
        said = next((str(entry.data[key]) for key in texts if entry.data.get(key)), "")
        return (*_who(verb, entry), *((": ", said) if said else ()))

    return tell


def _who(verb: str, entry: EntryView) -> Line:
    by: Line = () if entry.actor == SYSTEM else (" by ", name_of(entry.actor))
    return (verb, *by, " ", Instant(entry.at))


def _acknowledgement_over(entry: EntryView, _: TouchView | None) -> Line:
    by = name_of(str(entry.data.get("acknowledged_by") or "somebody"))
    return (f"No touch followed the acknowledgement by {by}: open again since ", Instant(entry.at))


def _touched(entry: EntryView, touch: TouchView | None) -> Line:
    return touched_line(touch) if touch is not None else _who("Touched", entry)


def _reassigned(entry: EntryView, _: TouchView | None) -> Line:
    to, reason = entry.data.get("to"), entry.data.get("reason")
    to_whom: Line = (" to ", str(to)) if to else ()
    return (*_who("Reassigned", entry), *to_whom, *((": ", str(reason)) if reason else ()))


def _moved_owner(entry: EntryView, _: TouchView | None) -> Line:
    to, reason = entry.data.get("to"), entry.data.get("reason")
    return ("Owner is now ", str(to or "somebody else"), *((": ", str(reason)) if reason else ()))


def _snoozed(entry: EntryView, _: TouchView | None) -> Line:
    until, reason = _instant(entry.data.get("until")), entry.data.get("reason")
    till: Line = (" until ", Instant(until)) if until else ()
    return (*_who("Reminders snoozed", entry), *till, *((": ", str(reason)) if reason else ()))


def _resolved(entry: EntryView, _: TouchView | None) -> Line:
    outcome = str(entry.data.get("outcome") or "").replace("_", " ")
    done = entry.data.get("what_was_done")
    said = ", ".join(str(part) for part in (outcome, done) if part)
    verb = "Closed" if entry.type == "closed" else "Resolved"
    return (*_who(verb, entry), *((": ", said) if said else ()))


def _breached(entry: EntryView, _: TouchView | None) -> Line:
    due_at = _instant(entry.data.get("due_at"))
    return ("The first touch was due ", Instant(due_at), " and is missing") if due_at else ("The touch is overdue",)


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


_TELLERS: dict[str, Callable[[EntryView, TouchView | None], Line]] = {
    "acknowledged": _by("Acknowledged"),
    "acknowledgement_expired": _acknowledgement_over,
    "touched": _touched,
    "touch_corrected": _by("Touch taken back", "reason"),
    "reassigned": _reassigned,
    "owner_changed": _moved_owner,
    "snoozed": _snoozed,
    "resolved": _resolved,
    "closed": _resolved,
    "reopened": _by("Open again", "reason"),
    "dismissed": _by("Dismissed", "reason"),
    "noted": _by("Note", "note"),
    "response_joined": _by("Another low score joined", "words"),
    "response_revised": _by("The customer changed the answer", "words"),
    "touch_breached": _breached,
    "escalated": _by("Escalated"),
    "close_out_asked": _by("Close-out question asked"),
    "close_out_overdue": _by("Close-out question unanswered"),
    "moved": _by("The account became known"),
    "merged": _by("Merged into another case"),
}
