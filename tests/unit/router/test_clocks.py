"""When things fall due: spans by tier, working calendars, reminders."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.calendars import build_calendars
from services.router.domain.sla import due, reminders, terms_for
from shared.errors import ConfigurationError
from shared.policy import parse_policy

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = """
[sla]
calendar = "office"
[calendar.office]
timezone = "Europe/Berlin"
mon = ["09:00-12:00", "13:00-17:00"]
tue = ["09:00-12:00", "13:00-17:00"]
wed = ["09:00-12:00", "13:00-17:00"]
thu = ["09:00-12:00", "13:00-17:00"]
fri = ["09:00-12:00", "13:00-17:00"]
holidays = "DE"
days_off = ["2026-12-24"]
"""


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "span", "expected"),
    [
        ("2026-11-06T16:30", HOUR, "2026-11-09T09:30"),
        ("2026-11-09T11:30", HOUR, "2026-11-09T13:30"),
        ("2026-11-07T03:00", HOUR, "2026-11-09T10:00"),
        ("2026-12-23T16:00", 2 * HOUR, "2026-12-28T10:00"),
        ("2026-11-09T09:00", 7 * HOUR, "2026-11-09T17:00"),
    ],
    ids=["Friday evening to Monday", "over lunch", "from the weekend", "over Christmas and a day off", "a whole day"],
)
def test_working_time_counts_only_while_the_office_is_open(start: str, span: timedelta, expected: str) -> None:
    calendars = build_calendars(parse_policy(OFFICE))
    assert due(berlin(start), span, "office", calendars) == berlin(expected)


def test_the_change_to_summer_time_neither_gives_nor_takes_an_hour() -> None:
    calendars = build_calendars(parse_policy('[calendar.night]\ntimezone = "Europe/Berlin"\nsun = ["00:00-23:00"]\n'))
    start = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert due(start, 3 * HOUR, "night", calendars) - start == 3 * HOUR


STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@given(STARTS, st.integers(1, 60 * 40), st.integers(1, 60 * 40))
def test_working_time_adds_up_and_never_ends_while_closed(start: datetime, first: int, second: int) -> None:
    calendars = build_calendars(parse_policy(OFFICE))
    one, other = timedelta(minutes=first), timedelta(minutes=second)
    halfway = due(start, one, "office", calendars)
    assert due(halfway, other, "office", calendars) == due(start, one + other, "office", calendars)
    local = halfway.astimezone(BERLIN)
    assert local.weekday() < 5
    assert 9 <= local.hour <= 17
    assert halfway - start >= one


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('[calendar.x]\ntimezone = "Mars/Olympus"\nmon = ["09:00-17:00"]', "calendar.x.timezone"),
        ('[calendar.x]\nmon = ["nine to five"]', "calendar.x.mon"),
        ('[calendar.x]\nmon = ["17:00-09:00"]', "calendar.x.mon"),
        ('[calendar.x]\nmon = ["09:00-13:00", "12:00-17:00"]', "calendar.x.mon: the intervals overlap at 12:00"),
        ("[calendar.x]", "calendar.x: no working hours"),
        ('[calendar.x]\nmon = ["09:00-17:00"]\nholidays = "XX"', "calendar.x.holidays"),
        ('[calendar.x]\nmon = ["09:00-17:00"]\ndays_off = ["Xmas"]', "calendar.x.days_off"),
        ('[sla]\ncalendar = "nowhere"', "nowhere"),
        ('[sla]\ntouch_within = "soon"', "sla.touch_within"),
        ("[flag]\ncsat_at_least = 3", "flag.csat_at_least"),
    ],
)
def test_a_wrong_policy_names_its_key(toml: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        build_calendars(parse_policy(toml))


def test_a_tier_sets_the_spans_it_names_and_the_first_that_fits_wins() -> None:
    policy = parse_policy(
        """
        [[sla.tier]]
        when = { severity = "critical" }
        touch_within = "4h"
        [[sla.tier]]
        when = { tier = "gold", segment = "emea" }
        touch_within = "8h"
        close_out_after = "3d"
        calendar = "office"
        [calendar.office]
        mon = ["09:00-17:00"]
        """
    ).sla
    assert terms_for(policy, "critical", "gold", "emea").touch_within == 4 * HOUR
    gold = terms_for(policy, "low", "gold", "emea")
    assert (gold.touch_within, gold.close_out_after, gold.calendar) == (8 * HOUR, timedelta(days=3), "office")
    other = terms_for(policy, "low", "gold", "apac")
    assert (other.touch_within, other.calendar) == (24 * HOUR, "always")


def test_a_reminder_before_the_opening_is_not_sent() -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    assert reminders(start, start + 2 * HOUR, (4 * HOUR, HOUR)) == [start + HOUR]


def test_a_holiday_of_the_country_is_a_day_off() -> None:
    calendars = build_calendars(parse_policy(OFFICE))
    assert calendars["office"].is_day_off(date(2026, 12, 25))


def test_a_days_intervals_count_in_their_order_however_they_are_listed() -> None:
    toml = '[calendar.split]\ntimezone = "Europe/Berlin"\nmon = ["13:00-17:00", "09:00-12:00"]\n'
    assert due(berlin("2026-11-02 08:00"), 4 * HOUR, "split", build_calendars(parse_policy(toml))) == berlin(
        "2026-11-02 14:00"
    )
