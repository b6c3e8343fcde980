"""Every figure says what it counts, lists its cases, and cannot be made to look better by ending a case early."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.audit.figures import Group, measure, tabulate
from services.router.audit.metrics import BY_NAME, METRICS, nearest_rank
from services.router.audit.periods import PeriodKind, next_start, start_of, starts, window
from services.router.audit.promise import Promise

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROMISE = Promise(
    clock_id="L-A:1",
    case_id="L-A",
    cause="response",
    response_id="r1",
    started_at=NOW - 30 * HOUR,
    due_at=NOW - 6 * HOUR,
    opens=True,
    status="open",
    severity="high",
    owner="ana@us.example",
    owner_reason="CSM of the account",
    account_name="Acme",
)


def figure(name: str, *promises: Promise) -> float | None:
    return measure(promises, NOW)[name]


def test_a_touch_in_time_a_late_one_a_missed_one_and_one_not_due_yet() -> None:
    in_time = replace(PROMISE, touched_at=PROMISE.due_at)
    late = replace(PROMISE, touched_at=PROMISE.due_at + HOUR)
    pending = replace(PROMISE, due_at=NOW + HOUR)
    all_four = (in_time, late, PROMISE, pending)
    assert figure("touch_due", *all_four) == 3
    assert figure("touched_in_time", *all_four) == 1
    assert figure("touched_in_time_pct", *all_four) == pytest.approx(33.33)
    assert figure("touch_pending", *all_four) == 1
    assert figure("overdue_now", *all_four) == 1
    assert figure("time_to_touch_p50_s", *all_four) == 24 * 3600


def test_dismissing_a_case_takes_nothing_out_of_the_denominator() -> None:
    dismissed = replace(PROMISE, status="dismissed")
    assert figure("touch_due", dismissed) == 1
    assert figure("touched_in_time_pct", dismissed) == 0
    assert figure("overdue_now", dismissed) == 0


def test_an_alert_nobody_has_seen_counts_with_its_age() -> None:
    quick = replace(PROMISE, alerted_at=PROMISE.started_at + timedelta(milliseconds=400))
    assert figure("alert_p50_s", quick, quick, PROMISE) == pytest.approx(0.4)
    assert figure("alert_p99_s", quick, quick, PROMISE) == 30 * 3600


def test_an_alert_that_was_never_needed_has_no_age() -> None:
    assert figure("alert_p99_s", replace(PROMISE, status="dismissed")) is None
    assert figure("alert_p99_s", replace(PROMISE, response_id=None, cause="reopened")) is None


def test_a_case_counts_once_however_many_answers_joined_it() -> None:
    closed = replace(PROMISE, status="closed", closed_at=NOW, close_out_due_at=NOW, touched_at=NOW)
    joined = replace(closed, clock_id="L-A:3", opens=False)
    lapsed = replace(closed, case_id="L-B", close_out_lapsed_at=NOW - HOUR)
    assert figure("flagged", closed, joined, lapsed) == 3
    assert figure("close_out_due", closed, joined, lapsed) == 2
    assert figure("closed_in_time", closed, joined, lapsed) == 1
    assert figure("closed_in_time_pct", closed, joined, lapsed) == 50


def test_the_fallback_owner_is_nobody_better() -> None:
    orphan = replace(PROMISE, owner_reason="fallback owner: no account claims the domain x.example")
    given = replace(PROMISE, owner_reason="reassigned by fallback@us.example")
    assert figure("unowned", orphan, PROMISE, given) == 1


def test_figures_of_nothing_are_none_not_zero_percent() -> None:
    assert figure("touched_in_time_pct") is None
    assert figure("alert_p99_s") is None
    assert figure("flagged") == 0


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
MAYBE = st.none() | INSTANTS


@st.composite
def promises(draw: st.DrawFn) -> Promise:
    started = draw(INSTANTS)
    due = started + draw(st.timedeltas(timedelta(0), timedelta(days=9)))
    touched = draw(st.none() | st.timedeltas(timedelta(0), timedelta(days=20)))
    return replace(
        PROMISE,
        clock_id=str(draw(st.integers(0, 10**9))),
        cause=draw(st.sampled_from(["response", "reopened", "manual", "ticket_reopened"])),
        response_id=draw(st.none() | st.just("r")),
        started_at=started,
        due_at=due,
        opens=draw(st.booleans()),
        touched_at=None if touched is None else started + touched,
        status=draw(st.sampled_from(["open", "touched", "closed", "dismissed"])),
        alerted_at=draw(MAYBE),
        closed_at=draw(MAYBE),
        close_out_due_at=draw(MAYBE),
        close_out_lapsed_at=draw(MAYBE),
        owner=draw(st.sampled_from(["a@x", "b@x"])),
    )


@given(st.lists(promises(), max_size=12))
def test_g10_every_count_lists_exactly_its_cases(them: list[Promise]) -> None:
    figures = measure(them, NOW)
    for metric in METRICS:
        behind = [promise for promise in them if metric.counts(promise, NOW)]
        if metric.unit == "count":
            assert figures[metric.name] == len(behind)
        else:
            assert (figures[metric.name] is None) == (not behind)


@given(st.lists(promises(), max_size=12))
def test_the_shares_follow_from_the_counts_beside_them(them: list[Promise]) -> None:
    figures = measure(them, NOW)
    assert (figures["touch_due"] or 0) + (figures["touch_pending"] or 0) == len(them)
    for part, whole in (("touched_in_time", "touch_due"), ("closed_in_time", "close_out_due")):
        assert (figures[part] or 0) <= (figures[whole] or 0)
        share = figures[f"{part}_pct"]
        assert share is None or share == pytest.approx(100 * (figures[part] or 0) / (figures[whole] or 1), abs=0.01)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_happened(values: list[float], quantile: float) -> None:
    ordered = sorted(values)
    found = nearest_rank(ordered, quantile)
    assert found in values
    assert sum(value <= found for value in values) >= quantile * len(values)


async def lines(them: list[Promise], kind: PeriodKind, group: Group) -> int:
    async def stream():
        for promise in sorted(them, key=lambda item: item.started_at):
            yield promise

    table = await tabulate(stream(), kind, group, NOW)
    assert [line.period for line in table] == sorted((line.period for line in table), reverse=True)
    return sum(int(line.figures["flagged"] or 0) for line in table)


@pytest.mark.parametrize("kind", list(PeriodKind))
@pytest.mark.parametrize("group", [Group.NONE, Group.OWNER])
async def test_periods_and_groups_share_out_every_promise_once(kind: PeriodKind, group: Group) -> None:
    them = [
        replace(PROMISE, started_at=NOW - day * timedelta(days=1), owner=f"{day % 3}@x", clock_id=str(day))
        for day in range(100)
    ]
    assert await lines(them, kind, group) == 100


@given(INSTANTS, st.sampled_from(PeriodKind), st.integers(0, 300))
def test_periods_lie_side_by_side(last: datetime, kind: PeriodKind, days: int) -> None:
    within = window(kind, last.date() - timedelta(days=days), last.date(), NOW)
    found = list(starts(within, kind))
    assert all(next_start(start, kind) == after for start, after in pairwise(found))
    assert start_of(last, kind) == found[-1]


@pytest.mark.parametrize(("first", "last"), [("2026-02-01", "2026-01-01"), ("2020-01-01", "2026-01-01")])
def test_a_range_that_cannot_be_is_refused(first: str, last: str) -> None:
    with pytest.raises(ValueError, match=r"to|periods"):
        window(PeriodKind.DAY, datetime.fromisoformat(first).date(), datetime.fromisoformat(last).date(), NOW)


def test_every_metric_has_a_definition_in_words() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert all(metric.words.endswith(".") for metric in METRICS)
