"""Every SLA figure, as a pure function of promises: METRICS is what API, console, CSV and gauges show.

To add one: write a function that says which promises it counts (or how many seconds each took), and one line in
METRICS."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.router.audit.promise import CLAIMED, CONFIRMED, EVIDENCED, Promise
from services.router.domain.owners import FALLBACK

Counts = Callable[[Promise, datetime], bool]
Seconds = Callable[[Promise, datetime], float | None]
Number = int | float | None


@dataclass(frozen=True)
class Metric:
    """`counts` names the promises behind the figure, so that every number lists its cases: those counted, those
    measured, or all that a share is a share of. `words` is the definition shown to people. A figure of nothing is None,
    a count of nothing 0."""

    name: str
    unit: Literal["count", "percent", "seconds"]
    words: str
    counts: Counts
    figure: Callable[[Sequence[Promise], datetime], Number]


def flagged(promise: Promise, now: datetime) -> bool:
    return promise.response_id is not None


def touch_due(promise: Promise, now: datetime) -> bool:
    return promise.touched_at is not None or promise.due_at <= now


def touched_in_time(promise: Promise, now: datetime) -> bool:
    return promise.touched_at is not None and promise.touched_at <= promise.due_at


def touch_pending(promise: Promise, now: datetime) -> bool:
    return not touch_due(promise, now)


def overdue_now(promise: Promise, now: datetime) -> bool:
    return promise.touched_at is None and promise.due_at <= now and not promise.ended


def close_out_known(promise: Promise, now: datetime) -> bool:
    closed = promise.closed_at is not None and promise.close_out_due_at is not None
    return promise.opens and (closed or promise.close_out_lapsed_at is not None)


def closed_in_time(promise: Promise, now: datetime) -> bool:
    return close_out_known(promise, now) and promise.closed_at is not None and promise.close_out_lapsed_at is None


def touch_outcome(promise: Promise, now: datetime) -> bool | None:
    """Was it touched in time; None while that is open."""
    return touched_in_time(promise, now) if touch_due(promise, now) else None


def close_out_outcome(promise: Promise, now: datetime) -> bool | None:
    """Was its case closed in time; None while that is open, and for a touch that did not open its case."""
    return closed_in_time(promise, now) if close_out_known(promise, now) else None


def reopened(promise: Promise, now: datetime) -> bool:
    return promise.cause == "reopened"


def unowned(promise: Promise, now: datetime) -> bool:
    return promise.opens and (not promise.owner or FALLBACK in promise.owner_reason)


def touched(promise: Promise, now: datetime) -> bool:
    return promise.touched_at is not None


def proven(proof: str) -> Counts:
    return lambda promise, now: promise.touched_at is not None and promise.proof == proof


def promise_asked(promise: Promise, now: datetime) -> bool:
    return promise.opens and promise.promise_kept is not None


def promise_kept(promise: Promise, now: datetime) -> bool:
    return promise_asked(promise, now) and promise.promise_kept is True


def alert_seconds(promise: Promise, now: datetime) -> float | None:
    """An alert nobody has seen yet counts with its age so far: a stuck outbox must not look fast."""
    if promise.response_id is None:
        return None
    if promise.alerted_at is None:
        return None if promise.ended else (now - promise.started_at).total_seconds()
    return max(0.0, (promise.alerted_at - promise.started_at).total_seconds())


def time_to_touch(promise: Promise, now: datetime) -> float | None:
    return None if promise.touched_at is None else (promise.touched_at - promise.started_at).total_seconds()


def count(name: str, counts: Counts, words: str) -> Metric:
    return Metric(name, "count", words, counts, lambda promises, now: sum(counts(item, now) for item in promises))


def percent(name: str, part: Counts, of: Counts, words: str) -> Metric:
    def figure(promises: Sequence[Promise], now: datetime) -> Number:
        whole = [item for item in promises if of(item, now)]
        return round(100 * sum(part(item, now) for item in whole) / len(whole), 2) if whole else None

    return Metric(name, "percent", words, of, figure)


def percentile(name: str, seconds: Seconds, quantile: float, words: str) -> Metric:
    def figure(promises: Sequence[Promise], now: datetime) -> Number:
        values = sorted(value for item in promises if (value := seconds(item, now)) is not None)
        return round(nearest_rank(values, quantile), 3) if values else None

    return Metric(name, "seconds", words, lambda item, now: seconds(item, now) is not None, figure)


def nearest_rank(ordered: Sequence[float], quantile: float) -> float:
    """The smallest value that at least `quantile` of all values do not exceed: always one that really happened."""
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


METRICS: tuple[Metric, ...] = (
    count(
        "flagged",
        flagged,
        "Answers flagged in the period, each with a touch promised; a repeat shown once counts once.",
    ),
    percentile("alert_p50_s", alert_seconds, 0.50, "Half the alerts were seen in Slack within this time."),
    percentile("alert_p99_s", alert_seconds, 0.99, "99 of 100 alerts were seen in Slack within this time."),
    count("touch_due", touch_due, "Touches promised in the period whose outcome is known: made, or due by now."),
    count("touched_in_time", touched_in_time, "Of these, touches made no later than promised."),
    percent("touched_in_time_pct", touched_in_time, touch_due, "Touched in time, of the touches due."),
    count("touch_pending", touch_pending, "Touches promised in the period, neither made nor due yet."),
    percentile("time_to_touch_p50_s", time_to_touch, 0.50, "Median time from flag to touch, of touches made."),
    percentile("time_to_touch_p90_s", time_to_touch, 0.90, "9 of 10 touches were made within this time."),
    percent("touch_claimed_pct", proven(CLAIMED), touched, "Touches that rest on their author's word alone."),
    percent("touch_evidenced_pct", proven(EVIDENCED), touched, "Touches that the helpdesk's own events show."),
    percent("touch_confirmed_pct", proven(CONFIRMED), touched, "Touches that the customer has confirmed."),
    percent("promise_kept_pct", promise_kept, promise_asked, "Promises kept, of those the customer was asked about."),
    count("close_out_due", close_out_known, "Cases of the period whose close-out is known: closed, or unanswered."),
    count("closed_in_time", closed_in_time, "Of these, closed before the close-out question went unanswered."),
    percent("closed_in_time_pct", closed_in_time, close_out_known, "Closed in time, of the close-outs due."),
    count("reopened", reopened, "Reopenings in the period."),
    count("overdue_now", overdue_now, "Touches promised in the period that are overdue at this moment."),
    count("unowned", unowned, "Cases of the period that rest with the fallback owner: nobody better is known."),
)

BY_NAME = {metric.name: metric for metric in METRICS}
