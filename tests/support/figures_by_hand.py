"""SLA figures as an auditor with the journals and a pocket calculator would find them: shares no code with the product.

A journal is the answer of `GET /v1/cases/{id}/journal`: plain JSON."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Entry = dict[str, Any]
Figures = dict[str, float | None]
GROUPS = ("owner", "account", "severity", "source", "metric", "tier", "segment")


@dataclass
class Touch:
    """One promised touch. `born` is the case whose journal promised it, `case` where it is now."""

    born: str
    case: str
    first: bool
    cause: str
    response: str | None
    start: datetime
    due: datetime
    facts: Entry
    made: datetime | None = None
    proof: str | None = None
    alerted: datetime | None = None
    story: list[Entry] = field(default_factory=list)

    def last(self, *types: str) -> Entry:
        """The newest entry of these types in the journal of its case."""
        return next((entry for entry in reversed(self.story) if entry["type"] in types), {"type": "", "data": {}})

    def said(self, name: str, *types: str) -> Any:
        """What the newest entry of these types that speaks of `name` says."""
        told = [entry["data"][name] for entry in self.story if entry["type"] in types and name in entry["data"]]
        return told[-1] if told else None


def when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def promised(journals: dict[str, list[Entry]]) -> list[Touch]:
    """Every promised touch, with what became of it."""
    into = {
        case: entry["data"]["into"] for case, them in journals.items() for entry in them if entry["type"] == "merged"
    }
    touches: dict[str, Touch] = {}
    for case, entries in journals.items():
        now_in = case
        while now_in in into:
            now_in = into[now_in]
        for entry in entries:
            data = entry["data"]
            if isinstance(data.get("clock_id"), str) and "touch_due_at" in data:
                touches[data["clock_id"]] = Touch(
                    born=case,
                    case=now_in,
                    first=entry["type"] == "opened" and now_in == case,
                    cause=data.get("cause", entry["type"]),
                    response=data.get("response_id"),
                    start=datetime.fromisoformat(data.get("flagged_at", entry["at"])),
                    due=datetime.fromisoformat(data["touch_due_at"]),
                    facts=data,
                    story=journals[now_in],
                )
    everything = sorted(
        (entry for them in journals.values() for entry in them), key=lambda entry: (entry["at"], entry["seq"])
    )
    for entry in everything:
        _happens(entry, touches)
    for touch in touches.values():
        touch.alerted = _alerted(touch, journals[touch.born])
    return list(touches.values())


def _happens(entry: Entry, touches: dict[str, Touch]) -> None:
    data = entry["data"]
    if entry["type"] == "touched":
        for clock in data["covers"]:
            touches[clock].made = max(datetime.fromisoformat(data["touched_at"]), touches[clock].start)
            touches[clock].proof = "claimed"
    elif entry["type"] == "touch_corrected":
        for clock in data["clocks"]:
            touches[clock].made = touches[clock].proof = None
    elif entry["type"] in ("touch_evidenced", "touch_confirmed"):
        for clock in data["clocks"]:
            touches[clock].proof = entry["type"].removeprefix("touch_")


def _alerted(touch: Touch, journal: list[Entry]) -> datetime | None:
    seen = [entry["data"] for entry in journal if entry["type"] == "alerted"]
    mine = [data for data in seen if when(data["since"]) == touch.start]
    lead = [datetime.fromisoformat(data["sent_at"]) for data in mine if data["role"] == "support_lead"]
    others = [datetime.fromisoformat(data["sent_at"]) for data in mine if data["role"] != "support_lead"]
    return max([*sorted(lead)[:1], *sorted(others)[:1]], default=None)


def _ended(touch: Touch) -> bool:
    return touch.last("opened", "reopened", "closed", "dismissed")["type"] in ("closed", "dismissed")


def _closed(touch: Touch) -> Entry | None:
    """The entry that closed its case, when it still is."""
    last = touch.last("closed", "reopened")
    return last["data"] if last["type"] == "closed" else None


def _lapsed(touch: Touch) -> bool:
    return touch.last("close_out_overdue")["type"] != ""


def _asked(touch: Touch) -> bool:
    return touch.first and (_closed(touch) or {}).get("promise_kept") is not None


def _close_out_known(touch: Touch) -> bool:
    closed = _closed(touch)
    return touch.first and (_lapsed(touch) or (closed is not None and closed["close_out_due_at"] is not None))


def _nobody_better(touch: Touch) -> bool:
    last = touch.last("opened", "reassigned", "owner_changed", "moved")["data"]
    return touch.first and "fallback owner" in str(last.get("owner_reason", last.get("reason")))


def _wait(touch: Touch, now: datetime) -> float | None:
    if touch.response is None or (touch.alerted is None and _ended(touch)):
        return None
    return max(0.0, ((touch.alerted or now) - touch.start).total_seconds())


Chosen = Callable[[Touch, datetime], bool]
COUNTED: dict[str, Chosen] = {
    "flagged": lambda touch, now: touch.response is not None,
    "touch_due": lambda touch, now: touch.made is not None or touch.due <= now,
    "touched_in_time": lambda touch, now: touch.made is not None and touch.made <= touch.due,
    "touch_pending": lambda touch, now: touch.made is None and touch.due > now,
    "close_out_due": lambda touch, now: _close_out_known(touch),
    "closed_in_time": lambda touch, now: _close_out_known(touch) and _closed(touch) is not None and not _lapsed(touch),
    "reopened": lambda touch, now: touch.cause == "reopened",
    "overdue_now": lambda touch, now: touch.made is None and touch.due <= now and not _ended(touch),
    "unowned": lambda touch, now: _nobody_better(touch),
}
SHARES: dict[str, tuple[Chosen, Chosen]] = {
    "touched_in_time_pct": (COUNTED["touched_in_time"], COUNTED["touch_due"]),
    "closed_in_time_pct": (COUNTED["closed_in_time"], COUNTED["close_out_due"]),
    "promise_kept_pct": (
        lambda touch, now: (_closed(touch) or {}).get("promise_kept") is True,
        lambda touch, now: _asked(touch),
    ),
    **{
        f"touch_{proof}_pct": (
            lambda touch, now, proof=proof: touch.made is not None and touch.proof == proof,
            lambda touch, now: touch.made is not None,
        )
        for proof in ("claimed", "evidenced", "confirmed")
    },
}
SPANS: dict[str, tuple[Callable[[Touch, datetime], float | None], int]] = {
    "alert_p50_s": (_wait, 50),
    "alert_p99_s": (_wait, 99),
    "time_to_touch_p50_s": (lambda touch, now: (touch.made - touch.start).total_seconds() if touch.made else None, 50),
    "time_to_touch_p90_s": (lambda touch, now: (touch.made - touch.start).total_seconds() if touch.made else None, 90),
}


def behind(metric: str, touches: Sequence[Touch], now: datetime) -> list[Touch]:
    """The touches a number is made of: those it counts, for a share the whole."""
    if metric in COUNTED:
        return [touch for touch in touches if COUNTED[metric](touch, now)]
    if metric in SHARES:
        return [touch for touch in touches if SHARES[metric][1](touch, now)]
    return [touch for touch in touches if SPANS[metric][0](touch, now) is not None]


def figures(touches: Sequence[Touch], now: datetime) -> Figures:
    counts: Figures = {name: sum(chosen(touch, now) for touch in touches) for name, chosen in COUNTED.items()}
    shares = {name: _share(touches, now, *both) for name, both in SHARES.items()}
    spans = {name: _percentile(touches, now, *both) for name, both in SPANS.items()}
    return {**counts, **shares, **spans}


def _share(touches: Sequence[Touch], now: datetime, part: Chosen, whole: Chosen) -> float | None:
    of = [touch for touch in touches if whole(touch, now)]
    return 100 * len([touch for touch in of if part(touch, now)]) / len(of) if of else None


def _percentile(
    touches: Sequence[Touch], now: datetime, span: Callable[[Touch, datetime], float | None], percent: int
) -> float | None:
    """The least of the values that at least so many per cent of all do not exceed."""
    values = [value for touch in touches if (value := span(touch, now)) is not None]
    return min((v for v in values if 100 * sum(w <= v for w in values) >= percent * len(values)), default=None)


def table(touches: Sequence[Touch], period: str, group: str) -> dict[tuple[str, str], list[Touch]]:
    """(first day of the period in UTC, group) -> its touches."""
    cells: dict[tuple[str, str], list[Touch]] = defaultdict(list)
    for touch in touches:
        cells[_period(touch.start, period), _group(touch, group)].append(touch)
    return cells


def _period(at: datetime, kind: str) -> str:
    assert at.utcoffset() == timedelta(0)
    back = {"day": 0, "week": at.isoweekday() - 1, "month": at.day - 1}[kind]
    return (at - timedelta(days=back)).strftime("%Y-%m-%d")


def _group(touch: Touch, group: str) -> str:
    if group == "none":
        return "all"
    if group in ("source", "metric"):
        return touch.facts.get(group) or "(none)"
    if group in ("tier", "segment"):
        return (touch.said("group", "opened") or {}).get(group) or "(none)"
    if group == "severity":
        return str(touch.said("severity", "opened", "moved", "response_joined"))
    if group == "account":
        return touch.said("account_id", "opened", "moved") or "Unknown account"
    last = touch.last("opened", "reassigned", "owner_changed", "moved")["data"]
    return str(last.get("owner") or last["to"])
