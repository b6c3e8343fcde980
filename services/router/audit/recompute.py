"""Promises from the journal alone: what an auditor compares with the rows, so that every figure can be proved (G10)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.router.audit.promise import CLAIMED, CONFIRMED, EVIDENCED, LEAD, Promise, seen_by_all
from services.router.domain.noise import AUTOMATIC, DUPLICATE


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry with its canonical data parsed. Free text plays no part in any figure."""

    case_id: str
    seq: int
    at: datetime
    actor: str
    type: str
    data: Mapping[str, Any]


@dataclass
class _History:
    """A case as far as its journal has been read."""

    account_name: str = ""
    account_id: str | None = None
    status: str = "open"
    severity: str = "medium"
    owner: str = ""
    owner_reason: str = ""
    tier: str | None = None
    segment: str | None = None
    closed_at: datetime | None = None
    promise_kept: bool | None = None
    close_out_due_at: datetime | None = None
    close_out_lapsed_at: datetime | None = None
    clocks: dict[str, Promise] = field(default_factory=dict)
    alerts: list[tuple[str, datetime | None, datetime]] = field(default_factory=list)


def recompute(entries: Iterable[JournalEntry]) -> list[Promise]:
    """The promises these journals tell of, oldest first. Entries of one case come in order of `seq`."""
    journals: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in entries:
        journals[entry.case_id].append(entry)
    cases: dict[str, _History] = defaultdict(_History)
    for case_id in sorted(journals, key=lambda case_id: _merged_at(journals[case_id])):
        for entry in journals[case_id]:
            _read(cases, entry)
    promises = [
        _told(case, clock, cases[clock.origin]) for case in list(cases.values()) for clock in case.clocks.values()
    ]
    return sorted(promises, key=lambda promise: (promise.started_at, promise.clock_id))


def _merged_at(journal: list[JournalEntry]) -> tuple[bool, datetime]:
    """Sorts a merged case before the one it went into, whose journal goes on with its clocks."""
    merged = [entry.at for entry in journal if entry.type == "merged"]
    return not merged, merged[-1] if merged else journal[0].at


def _read(cases: dict[str, _History], entry: JournalEntry) -> None:
    if entry.type == "merged":
        source, target = cases[entry.case_id], cases[entry.data["into"]]
        for clock in source.clocks.values():
            target.clocks[clock.clock_id] = replace(clock, case_id=entry.data["into"], opens=False)
        source.clocks.clear()
    elif entry.type in _READERS:
        _READERS[entry.type](cases[entry.case_id], entry)


def _told(case: _History, clock: Promise, origin: _History) -> Promise:
    """The promise as its case stands now; its alert was seen where its clock was started."""
    owner_side = [at for role, since, at in origin.alerts if since == clock.started_at and role != LEAD]
    lead_side = [at for role, since, at in origin.alerts if since == clock.started_at and role == LEAD]
    return replace(
        clock,
        status=case.status,
        severity=case.severity,
        owner=case.owner,
        owner_reason=case.owner_reason,
        account_name=case.account_name,
        account_id=case.account_id,
        alerted_at=seen_by_all(min(owner_side, default=None), min(lead_side, default=None)),
        close_out_due_at=case.close_out_due_at,
        close_out_lapsed_at=case.close_out_lapsed_at,
        closed_at=case.closed_at,
        promise_kept=case.promise_kept,
        tier=case.tier,
        segment=case.segment,
    )


def _start(case: _History, entry: JournalEntry, cause: str, started_at: datetime, opens: bool = False) -> None:
    data = entry.data
    case.clocks[data["clock_id"]] = Promise(
        clock_id=data["clock_id"],
        case_id=entry.case_id,
        cause=cause,
        started_at=started_at,
        due_at=_at(data["touch_due_at"]) or started_at,
        opens=opens,
        status="",
        severity="",
        owner="",
        owner_reason="",
        account_name="",
        response_id=data.get("response_id"),
        source=data.get("source"),
        metric=data.get("metric"),
    )


def _opened(case: _History, entry: JournalEntry) -> None:
    data = entry.data
    group = data.get("group") or {}
    case.account_name, case.account_id = data.get("account_name") or "", data.get("account_id")
    case.owner, case.owner_reason, case.severity = data["owner"], data["owner_reason"], data["severity"]
    case.tier, case.segment = group.get("tier"), group.get("segment")
    _start(case, entry, data["cause"], _at(data["flagged_at"]) or entry.at, opens=True)


def _joined(case: _History, entry: JournalEntry) -> None:
    if entry.data.get("cause") in (DUPLICATE, AUTOMATIC):
        return
    case.severity = entry.data.get("severity", case.severity)
    if "clock_id" not in entry.data:  # a merged case came in, whose journal told of its clocks
        if any(clock.touched_at is None for clock in case.clocks.values()):
            case.status, case.close_out_due_at = "open", None
        return
    case.status, case.close_out_due_at = "open", None
    _start(case, entry, entry.data["cause"], _at(entry.data["flagged_at"]) or entry.at)


def _alerted(case: _History, entry: JournalEntry) -> None:
    sent_at = _at(entry.data["sent_at"]) or entry.at
    case.alerts.append((entry.data["role"], _at(entry.data.get("since")), sent_at))


def _touched(case: _History, entry: JournalEntry) -> None:
    touched_at = _at(entry.data["touched_at"]) or entry.at
    for clock_id in entry.data["covers"]:
        clock = case.clocks[clock_id]
        case.clocks[clock_id] = replace(clock, touched_at=max(touched_at, clock.started_at), proof=CLAIMED)
    case.close_out_due_at = _at(entry.data.get("close_out_due_at"))
    if all(clock.touched_at for clock in case.clocks.values()):
        case.status = "touched"


def _touch_corrected(case: _History, entry: JournalEntry) -> None:
    for clock_id in entry.data["clocks"]:
        case.clocks[clock_id] = replace(case.clocks[clock_id], touched_at=None, proof=None)
    case.status, case.close_out_due_at = "open", None


def _proven(proof: str) -> Callable[[_History, JournalEntry], None]:
    def read(case: _History, entry: JournalEntry) -> None:
        for clock_id in entry.data["clocks"]:
            case.clocks[clock_id] = replace(case.clocks[clock_id], proof=proof)

    return read


def _reassigned(case: _History, entry: JournalEntry) -> None:
    case.owner, case.owner_reason = entry.data["to"], f"reassigned by {entry.actor}"


def _owner_changed(case: _History, entry: JournalEntry) -> None:
    case.owner, case.owner_reason = entry.data["to"], entry.data["reason"]


def _moved(case: _History, entry: JournalEntry) -> None:
    data = entry.data
    case.account_id = data["account_id"]
    case.account_name = data.get("account_name", case.account_name)
    case.owner, case.severity = data["owner"], data["severity"]
    case.owner_reason = data.get("owner_reason", case.owner_reason)


def _closed(case: _History, entry: JournalEntry) -> None:
    case.status, case.closed_at, case.promise_kept = "closed", entry.at, entry.data.get("promise_kept")


def _reopened(case: _History, entry: JournalEntry) -> None:
    case.status, case.closed_at, case.close_out_due_at, case.promise_kept = "open", None, None, None
    _start(case, entry, "reopened", entry.at)


def _close_out_overdue(case: _History, entry: JournalEntry) -> None:
    case.close_out_lapsed_at = case.close_out_lapsed_at or entry.at


def _status(status: str) -> Callable[[_History, JournalEntry], None]:
    def read(case: _History, entry: JournalEntry) -> None:
        case.status = status

    return read


_READERS: dict[str, Callable[[_History, JournalEntry], None]] = {
    "opened": _opened,
    "response_joined": _joined,
    "alerted": _alerted,
    "acknowledged": _status("acknowledged"),
    "acknowledgement_expired": _status("open"),
    "touched": _touched,
    "touch_evidenced": _proven(EVIDENCED),
    "touch_confirmed": _proven(CONFIRMED),
    "touch_corrected": _touch_corrected,
    "reassigned": _reassigned,
    "owner_changed": _owner_changed,
    "moved": _moved,
    "resolved": _status("resolved"),
    "closed": _closed,
    "dismissed": _status("dismissed"),
    "reopened": _reopened,
    "close_out_overdue": _close_out_overdue,
}


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
