"""How cases, times and journal entries read on a page. Pure; what is returned is plain text that templates escape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.router.domain.case import Case, Status
from services.router.domain.owners import FALLBACK
from services.router.domain.view import AccountView, EntryView, ResponseView

_SOON = timedelta(hours=4)
_SCALE_ENDS = {"csat": 5, "nps": 10, "ces": 7}


@dataclass(frozen=True, slots=True)
class Due:
    """What is due next: `tone` is late, soon or fine."""

    what: str
    at: datetime | None
    words: str
    tone: str


def span_words(span: timedelta) -> str:
    """The two largest units: "3 d 4 h", "5 h 10 min", "12 min", "40 s"."""
    seconds = int(abs(span).total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def ago(at: datetime, now: datetime) -> str:
    if abs(now - at) < timedelta(seconds=10):
        return "just now"
    return f"{span_words(now - at)} ago" if at < now else f"in {span_words(at - now)}"


def utc(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC).day} {at.astimezone(UTC):%b %Y, %H:%M UTC}"


def next_due(case: Case, now: datetime) -> Due:
    """The touch while one is waiting, then the close-out; nothing once the case has ended."""
    if case.status in (Status.OPEN, Status.ACKNOWLEDGED):
        return _due("Touch", case.touch_due_at, now)
    if case.status in (Status.TOUCHED, Status.RESOLVED):
        return _due("Close-out", case.close_out_due_at, now)
    return Due("", None, "", "fine")


def _due(what: str, at: datetime | None, now: datetime) -> Due:
    if at is None:
        return Due(what, None, "", "fine")
    if at <= now:
        return Due(what, at, f"{span_words(now - at)} overdue", "late")
    return Due(what, at, f"{span_words(at - now)} left", "soon" if at - now <= _SOON else "fine")


def score(response: ResponseView) -> str:
    """ "CSAT 2 of 5"."""
    if response.normalised_score is None:
        return response.metric.upper()
    value = f"{response.normalised_score:g}"
    end = _SCALE_ENDS.get(response.metric)
    return f"{response.metric.upper()} {value} of {end}" if end else f"{response.metric.upper()} {value}"


def money(account: AccountView | None) -> str:
    """ "EUR 250,000", or nothing when it is not known."""
    if account is None or account.arr is None:
        return ""
    return f"{account.currency or ''} {account.arr:,.0f}".strip()


def seconds_words(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else span_words(timedelta(seconds=seconds))


def is_fallback(case: Case) -> bool:
    return FALLBACK in case.owner_reason


def metric(name: str) -> str:
    """A figure's name for people: "touched in time %", "time to touch p50"."""
    return name.replace("_pct", " %").removesuffix("_s").replace("_", " ")


def web_link(url: str | None) -> str | None:
    """The URL when a browser may follow it: http or https only, since it came from outside."""
    return url if url and url.lower().startswith(("https://", "http://")) else None


@dataclass(frozen=True, slots=True)
class Line:
    """A journal entry for people. `said` are texts that people wrote, by label; `tone` colours the mark."""

    seq: int
    at: datetime
    who: str
    what: str
    facts: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    tone: str = "plain"
    hash: str = ""


@dataclass(frozen=True)
class _Phrase:
    what: str
    tone: str = "plain"
    facts: Callable[[Mapping[str, Any]], list[str]] = field(default=lambda data: [])


def _instant(text: Any) -> str:
    return utc(datetime.fromisoformat(text)) if text else "unknown"


def _opened(data: Mapping[str, Any]) -> list[str]:
    raised = f": {data['severity_words']}" if data.get("severity_words") else ""
    return [
        f"Owner {data.get('owner')} ({data.get('owner_reason')})",
        f"Severity {data.get('severity')}{raised}",
        f"Touch due {_instant(data.get('touch_due_at'))}",
    ]


def _joined(data: Mapping[str, Any]) -> list[str]:
    if data.get("from_case"):
        return [f"{data['from_case']} was merged into this case"]
    if data.get("of"):
        return ["Shown once with the answer it repeats: no alert and no touch of its own"]
    return [f"Its touch is due {_instant(data.get('touch_due_at'))}", f"Severity {data.get('severity')}"]


def _alerted(data: Mapping[str, Any]) -> list[str]:
    role = str(data.get("role", "")).replace("_", " ")
    took = data.get("seconds")
    return [f"Seen in Slack by the {role}" + (f", {seconds_words(took)} after the answer" if took is not None else "")]


def _touched(data: Mapping[str, Any]) -> list[str]:
    facts = [f"By {data.get('channel')}, at {_instant(data.get('touched_at'))}"]
    if data.get("next_step_due"):
        facts.append(f"Next step due {data['next_step_due']}")
    if data.get("close_out_due_at"):
        facts.append(f"Close-out question due {_instant(data['close_out_due_at'])}")
    return facts


def _evidenced(data: Mapping[str, Any]) -> list[str]:
    by = f" by {data['replied_by']}" if data.get("replied_by") else ""
    return [f"Reply{by} in {data.get('source')}, at {_instant(data.get('replied_at'))}"]


def _confirmed(data: Mapping[str, Any]) -> list[str]:
    return ["By a later good rating" if data.get("by") == "rating" else "At the close-out"]


def _closed(data: Mapping[str, Any]) -> list[str]:
    outcome = f"Outcome: {_plain(data.get('outcome'))}"
    if data.get("promise_kept") is None:
        return [outcome]
    return [outcome, "The promise was kept" if data["promise_kept"] else "The promise was not kept"]


def _from_to(data: Mapping[str, Any]) -> list[str]:
    why = [str(data["reason"])] if data.get("reason") else []
    return [f"From {data.get('from') or 'nobody'} to {data.get('to')}", *why]


def _escalated(data: Mapping[str, Any]) -> list[str]:
    to = f" to {data['to']}, {_plain(data.get('role'))}" if data.get("to") else ""
    return [f"Step {int(data.get('step', 0)) + 1}{to}"]


def _revealed(data: Mapping[str, Any]) -> list[str]:
    return [f"{', '.join(data.get('fields') or ())} in {data.get('where') or 'the console'}"]


_PHRASES: dict[str, _Phrase] = {
    "opened": _Phrase("Case opened", "bad", _opened),
    "response_joined": _Phrase("Another answer joined", "bad", _joined),
    "alerted": _Phrase("Alert seen", "plain", _alerted),
    "alert_undelivered": _Phrase(
        "Alert not delivered", "bad", lambda data: [f"To {data.get('meant_for')}: {data.get('why')}"]
    ),
    "acknowledged": _Phrase("Acknowledged", "good"),
    "acknowledgement_expired": _Phrase("Acknowledgement expired", "warn"),
    "touched": _Phrase("Touch logged", "good", _touched),
    "touch_evidenced": _Phrase("Touch seen in the helpdesk", "good", _evidenced),
    "touch_confirmed": _Phrase("Touch confirmed by the customer", "good", _confirmed),
    "touch_corrected": _Phrase("Touch taken back", "warn"),
    "reassigned": _Phrase("Reassigned", "plain", lambda data: [f"From {data.get('from')} to {data.get('to')}"]),
    "owner_changed": _Phrase("Owner changed", "plain", _from_to),
    "lead_changed": _Phrase("Support lead changed", "plain", _from_to),
    "snoozed": _Phrase("Snoozed", "plain", lambda data: [f"Until {_instant(data.get('until'))}"]),
    "resolved": _Phrase("Resolved", "good", lambda data: [f"Outcome: {_plain(data.get('outcome'))}"]),
    "close_out_asked": _Phrase("Close-out question asked", "plain"),
    "close_out_overdue": _Phrase("Close-out question unanswered", "warn"),
    "closed": _Phrase("Closed", "good", _closed),
    "reopened": _Phrase("Open again", "bad", lambda data: [f"New touch due {_instant(data.get('touch_due_at'))}"]),
    "dismissed": _Phrase("Dismissed", "warn"),
    "noted": _Phrase("Note", "plain"),
    "revealed": _Phrase("Hidden facts looked at", "plain", _revealed),
    "reminded": _Phrase("Reminder sent", "plain"),
    "touch_breached": _Phrase("Touch overdue", "bad", lambda data: [f"It was due {_instant(data.get('due_at'))}"]),
    "escalated": _Phrase("Escalated", "bad", _escalated),
    "moved": _Phrase("Account became known", "plain", lambda data: [f"Account {data.get('account_id')}"]),
    "merged": _Phrase("Merged", "plain", lambda data: [f"Into {data.get('into')}"]),
    "response_revised": _Phrase("Answer revised", "plain"),
}
_SAID = {
    "words": "",
    "acknowledgement": "Acknowledged",
    "next_step": "Next step",
    "what_was_done": "What was done",
    "note": "",
    "reason": "Reason",
}
_REASON_IS_FACT = ("owner_changed", "lead_changed")


def entry_line(entry: EntryView) -> Line:
    phrase = _PHRASES.get(entry.type, _Phrase(_plain(entry.type).capitalize()))
    said = [
        (label, str(entry.data[name]))
        for name, label in _SAID.items()
        if entry.data.get(name) and not (name == "reason" and entry.type in _REASON_IS_FACT)
    ]
    who = "Closeloop" if entry.actor == "system" else entry.actor
    return Line(
        entry.seq, entry.at, who, phrase.what, tuple(phrase.facts(entry.data)), tuple(said), phrase.tone, entry.hash
    )


def _plain(name: Any) -> str:
    return str(name or "").replace("_", " ")
