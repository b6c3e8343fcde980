"""Dates of an absence as people write them, in their own time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.slack.away import NotUnderstood, parse_away

MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
BERLIN, NEW_YORK, KIRITIMATI = "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"


def last_day(text: str, now: datetime = MONDAY, zone: str = BERLIN) -> str:
    away = parse_away(text, now, zone)
    assert away.ends_at is not None
    local = away.ends_at.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute) == (0, 0)
    return (local - timedelta(days=1)).date().isoformat()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("until Friday", "2026-11-27"),
        ("until fri cover ana@us.example", "2026-11-27"),
        ("until Monday", "2026-11-30"),
        ("until next Wednesday", "2026-12-02"),
        ("until tomorrow", "2026-11-24"),
        ("until today", "2026-11-23"),
        ("until 2026-12-01", "2026-12-01"),
        ("until 1 Dec", "2026-12-01"),
        ("until December 24th", "2026-12-24"),
        ("until 3 Jan", "2027-01-03"),
        ("till 3 January 2028", "2028-01-03"),
        ("for 3 days", "2026-11-25"),
        ("for a week", "2026-11-29"),
        ("for two weeks cover <@U0ANA|ana>", "2026-12-06"),
        ("from Wednesday until Friday", "2026-11-27"),
        ("from Wednesday until Wednesday", "2026-11-25"),
        ("from 2026-12-01 for 1 day", "2026-12-01"),
        ("UNTIL FRIDAY COVER <@U0ANA>", "2026-11-27"),
    ],
)
def test_the_day_named_is_the_last_day_away(text: str, day: str) -> None:
    assert last_day(text) == day


def test_today_is_where_the_person_lives() -> None:
    late_on_monday = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert last_day("until tomorrow", late_on_monday, NEW_YORK) == "2026-11-24"
    assert last_day("until tomorrow", late_on_monday, BERLIN) == "2026-11-25"
    assert last_day("until tomorrow", late_on_monday, KIRITIMATI) == "2026-11-25"


def test_a_day_has_its_own_length_when_the_clocks_change() -> None:
    saturday = datetime(2026, 10, 24, 12, tzinfo=UTC)
    away = parse_away("for 2 days", saturday, BERLIN)
    assert away.ends_at == datetime(2026, 10, 25, 23, tzinfo=UTC), "the Sunday has 25 hours"


def test_without_an_end_it_lasts_until_they_are_back() -> None:
    away = parse_away("cover <@U0ANA|ana>", MONDAY, BERLIN)
    assert (away.ends_at, away.cover_user, away.cover_email) == (None, "U0ANA", None)


def test_the_cover_is_a_slack_user_or_an_address_and_the_reason_is_kept() -> None:
    away = parse_away("until Friday cover <mailto:Ana@us.example|ana@us.example> because of the fair", MONDAY, None)
    assert (away.cover_user, away.cover_email, away.reason) == (None, "ana@us.example", "the fair")
    assert parse_away("cover <@W12345> until Friday", MONDAY, BERLIN).cover_user == "W12345"


def test_one_that_starts_later_starts_at_midnight_there() -> None:
    away = parse_away("from Thursday until Friday", MONDAY, NEW_YORK)
    assert away.starts_at == datetime(2026, 11, 26, 5, tzinfo=UTC)
    assert parse_away("until Friday", MONDAY, NEW_YORK).starts_at == MONDAY


def test_hours_are_counted_from_now() -> None:
    assert parse_away("for 4 hours", MONDAY, BERLIN).ends_at == MONDAY + timedelta(hours=4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("until Friday cover @ana", "choose the person from the list"),
        ("until Friday cover Ana Alves", "choose the person from the list"),
        ("until 1/12", "two ways"),
        ("until the cows come home", "no day I know"),
        ("until 2026-02-30", "no day I know"),
        ("until 2020-01-01", "before it begins"),
        ("from 2020-01-01 until Friday", "over already"),
        ("until Friday for 3 days", "either until when or for how long"),
        ("until", "not understood"),
        ("holiday", "not understood"),
        ("for many moons", "no span I know"),
        ("for 0 days", "no span I know"),
        ("until 2099-01-01", "three years"),
        ("until Friday until Monday", "not understood"),
    ],
)
def test_what_is_not_understood_is_said_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        parse_away(text, MONDAY, BERLIN)


WORDS = st.sampled_from(
    "until till for from cover because Friday next tomorrow 2026-12-01 1 dec 3 days weeks <@U1> a@b.example @ana 9999"
    " ,".split()
)
TEXTS = st.lists(WORDS, max_size=9).map(" ".join) | st.text(max_size=60)


@given(TEXTS, st.sampled_from([BERLIN, KIRITIMATI, "Nowhere"]))
def test_whatever_is_written_there_is_a_sound_absence_or_words(text: str, zone: str) -> None:
    try:
        away = parse_away(text, MONDAY, zone)
    except NotUnderstood:
        return
    assert away.starts_at >= MONDAY
    assert away.ends_at is None or away.ends_at > away.starts_at
