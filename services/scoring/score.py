"""The verdict on one response: does it need a person, why, and is it too old to alert as new. Pure."""

from datetime import UTC, timedelta
from typing import NamedTuple

from services.scoring.rules import RULES
from services.scoring.rules.thresholds import thresholds_of
from shared.events.catalog import Reason, SurveyResponded
from shared.policy import FlagPolicy


class Verdict(NamedTuple):
    """`late` is only ever set on what is flagged."""

    flagged: bool
    late: bool
    reasons: list[Reason]


def score(response: SurveyResponded, policy: FlagPolicy) -> Verdict:
    """Apply every rule. A response without a score, or one that was withdrawn, goes on unflagged."""
    if response.withdrawn or response.normalised_score is None:
        return Verdict(False, False, [])
    thresholds = thresholds_of(response, policy)
    reasons = [Reason(rule.__name__, words) for rule in RULES if (words := rule(response, thresholds))]
    late = bool(reasons) and policy.ignore_older_than is not None and age(response) > policy.ignore_older_than
    if late:
        reasons.append(Reason("late", f"recorded as late: answered {_spoken(age(response))} before it reached us"))
    return Verdict(bool(reasons), late, reasons)


def age(response: SurveyResponded) -> timedelta:
    """How long before `received_at` it was answered; zero where the vendor does not say, or its clock is ahead."""
    answered = response.occurred_at
    if answered is None:
        return timedelta(0)
    if answered.tzinfo is None:
        answered = answered.replace(tzinfo=UTC)
    return max(timedelta(0), response.received_at - answered)


def _spoken(span: timedelta) -> str:
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if span >= size:
            count = span // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
