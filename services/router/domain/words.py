"""Sentences and instants as people and the journal read them."""

from datetime import UTC, datetime

from services.router.domain import spans
from services.router.domain.case import Case, Status


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def clock_time(at: datetime | None) -> str:
    return "an unknown time" if at is None else spans.utc_minute(at.astimezone(UTC))


def already(case: Case) -> str:
    """Who was first: the answer to a click that came too late."""
    match case.status:
        case Status.ACKNOWLEDGED:
            return f"Already acknowledged by {case.acknowledged_by} at {clock_time(case.acknowledged_at)}."
        case Status.TOUCHED:
            return f"Already touched by {case.touched_by} at {clock_time(case.touched_at)}."
        case Status.RESOLVED:
            return f"Already resolved{_by(case.resolved_by)} at {clock_time(case.resolved_at)}."
        case Status.CLOSED if case.merged_into:
            return f"This case went into {case.merged_into}: act there."
        case Status.CLOSED:
            return f"Already closed{_by(case.ended_by)} at {clock_time(case.closed_at)}."
        case Status.DISMISSED:
            return f"Already dismissed{_by(case.ended_by)}."
        case _ if case.reopened_by:
            return f"Already opened again by {case.reopened_by}: log a touch first."
        case _:
            return "The case is open: log a touch first."


def _by(person: str | None) -> str:
    """Empty for cases of before it was kept."""
    return f" by {person}" if person else ""
