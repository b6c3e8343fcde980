"""A source's rhythm: what is normal is learned, and silence is judged by it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.rhythm import HOUR, HOURS, Rhythm, learn
from services.router.domain.source_health import (
    EXPECTED_MISSED,
    SHORTEST_SILENCE,
    Facts,
    SourceState,
    judge,
    worth_telling,
)

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = MONDAY + timedelta(hours=14)
WEEKS = timedelta(weeks=4)
rates = st.lists(st.floats(0, 500), min_size=HOURS, max_size=HOURS).map(lambda found: Rhythm(tuple(found)))
spans = st.timedeltas(timedelta(0), timedelta(weeks=3))


def office_hours(now: datetime = NOW, weeks: int = 4, an_hour: int = 20) -> dict[datetime, int]:
    """Twenty an hour from Monday to Friday, 8 to 18 UTC, and nothing else."""
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=weeks)
    hours = (begin + number * HOUR for number in range(weeks * HOURS))
    return {at: an_hour for at in hours if at.weekday() < 5 and 8 <= at.hour < 18}


def facts(**changes: object) -> Facts:
    known = {
        "source": "zendesk",
        "state": SourceState.WELL,
        "last_heard_at": NOW,
        "reported_at": NOW,
        "rule": "Zendesk's breaker stops a webhook.",
        "switch_on": "Activate it.",
    }
    return Facts(**{**known, **changes})  # type: ignore[arg-type]


def test_nobody_knows_what_is_normal_before_a_week_has_passed() -> None:
    assert learn(office_hours(), NOW - timedelta(days=6), NOW) is None
    assert learn(office_hours(), NOW - timedelta(days=8), NOW) is not None


def test_a_quiet_night_and_weekend_are_no_silence() -> None:
    rhythm = learn(office_hours(), NOW - WEEKS, NOW)
    assert rhythm is not None
    friday_evening = MONDAY - timedelta(days=3) + timedelta(hours=18)
    assert rhythm.expected(friday_evening, MONDAY + timedelta(hours=7)) < EXPECTED_MISSED
    state = judge(facts(rhythm=rhythm, last_heard_at=friday_evening, reported_at=MONDAY), MONDAY).state
    assert state is SourceState.WELL


def test_a_silent_hour_in_office_time_is_an_alarm_that_names_the_vendors_rule() -> None:
    rhythm = learn(office_hours(), NOW - WEEKS, NOW)
    verdict = judge(facts(rhythm=rhythm, last_heard_at=NOW - timedelta(hours=1), found_otherwise=3), NOW)
    assert verdict.state is SourceState.SILENT
    assert "normally about 20 events" in verdict.words
    assert "breaker" in verdict.words
    assert "Activate it." in verdict.words
    assert "found 3 responses" in verdict.words


def test_a_rare_source_is_missed_after_days_not_minutes() -> None:
    begin = NOW - WEEKS
    counts = {begin + timedelta(hours=12 * number): 1 for number in range(56)}
    rhythm = learn(counts, begin, NOW)
    assert rhythm is not None
    assert rhythm.expected(NOW - timedelta(days=1), NOW) < EXPECTED_MISSED
    assert rhythm.expected(NOW - timedelta(days=6), NOW) >= EXPECTED_MISSED


def test_an_import_does_not_make_a_normal_day_look_silent() -> None:
    plain = office_hours()
    burst = {**plain, NOW.replace(minute=0) - timedelta(days=3): 100_000}
    usual, after = learn(plain, NOW - WEEKS, NOW), learn(burst, NOW - WEEKS, NOW)
    assert usual is not None
    assert after is not None
    day = (MONDAY + timedelta(hours=8), MONDAY + timedelta(hours=18))
    assert after.expected(*day) == pytest.approx(usual.expected(*day), rel=0.25)


@given(rates, spans, spans)
def test_longer_silence_is_never_less_alarming(rhythm: Rhythm, first: timedelta, more: timedelta) -> None:
    assert rhythm.expected(NOW, NOW + first) <= rhythm.expected(NOW, NOW + first + more) + 1e-6


@given(rates, spans, spans)
def test_what_is_expected_of_two_spans_is_expected_of_both_together(
    rhythm: Rhythm, first: timedelta, second: timedelta
) -> None:
    middle = NOW + first
    whole = rhythm.expected(NOW, middle + second)
    assert rhythm.expected(NOW, middle) + rhythm.expected(middle, middle + second) == pytest.approx(whole, abs=1e-3)


@given(st.dictionaries(st.integers(0, 4 * HOURS - 1), st.integers(0, 10_000), max_size=200))
def test_whatever_was_heard_a_rhythm_expects_no_more_a_week_than_the_busiest_week_had(heard: dict[int, int]) -> None:
    begin = MONDAY - WEEKS
    counts = {begin + number * HOUR: count for number, count in heard.items()}
    rhythm = learn(counts, begin, MONDAY)
    assert rhythm is not None
    assert all(rate >= 0 for rate in rhythm.rates)
    weeks = [sum(count for at, count in counts.items() if (at - begin) // timedelta(weeks=1) == n) for n in range(4)]
    assert sum(rhythm.rates) <= max(weeks) + 1e-6


@given(rates, st.timedeltas(timedelta(0), SHORTEST_SILENCE - timedelta(seconds=1)))
def test_no_rhythm_makes_a_short_pause_an_alarm(rhythm: Rhythm, pause: timedelta) -> None:
    assert judge(facts(rhythm=rhythm, last_heard_at=NOW - pause), NOW).state is SourceState.WELL


def test_rejecting_is_an_alarm_that_names_the_reason_and_ends_only_when_something_is_taken() -> None:
    bad = judge(facts(accepted=4, rejected={"signature": 9, "malformed": 1}), NOW)
    assert bad.state is SourceState.REJECTING
    assert "10 of 14 deliveries" in bad.words
    assert "signature" in bad.words
    still = facts(state=SourceState.REJECTING)
    assert judge(still, NOW).state is SourceState.REJECTING
    better = facts(state=SourceState.REJECTING, accepted=20, rejected={"signature": 1})
    assert judge(better, NOW).state is SourceState.WELL


def test_a_few_strangers_knocking_are_no_alarm() -> None:
    assert judge(facts(rejected={"signature": 4}), NOW).state is SourceState.WELL
    assert judge(facts(accepted=100, rejected={"signature": 40}), NOW).state is SourceState.WELL


def test_when_ingest_itself_is_silent_the_vendor_is_not_blamed() -> None:
    rhythm = learn(office_hours(), NOW - WEEKS, NOW)
    since = NOW - timedelta(hours=2)
    verdict = judge(facts(rhythm=rhythm, last_heard_at=since, reported_at=since), NOW)
    assert verdict.state is SourceState.UNREPORTED
    assert "is ingest running" in verdict.words


def test_a_source_without_a_webhook_is_never_silent() -> None:
    rhythm = learn(office_hours(), NOW - WEEKS, NOW)
    asked_only = facts(rhythm=rhythm, last_heard_at=NOW - timedelta(days=3), webhook=False)
    assert judge(asked_only, NOW).state is SourceState.WELL


@given(st.sampled_from(SourceState), st.sampled_from(SourceState))
def test_only_a_change_into_or_out_of_an_alarm_is_told(before: SourceState, after: SourceState) -> None:
    verdict = judge(facts(), NOW)
    told = worth_telling(before, type(verdict)(after, ""))
    assert not (told and before is after)
    quiet = {SourceState.NEW, SourceState.WELL}
    assert told == (before is not after and not {before, after} <= quiet)
