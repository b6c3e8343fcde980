"""What is only said again is shown once, and what may wait comes out in time: properties over any hour and zone."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.router.domain.calendar import zone_of
from services.router.domain.case import Case, Severity
from services.router.domain.decision import NoticeKind, Priority, Tell
from services.router.domain.digests import MOST, digest, folded
from services.router.domain.noise import Answer, again, folds, held_until, next_at, quiet_until
from shared.errors import ConfigurationError
from shared.policy import NoisePolicy, QuietHours, parse_policy
from tests.support.case_views import ACCOUNT
from tests.support.domain import NOON, opened

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
NIGHT = QuietHours.model_validate({"from": time(20), "until": time(7)})
ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham")]
ZONES += [ZoneInfo(name) for name in ("Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo")]
moments = st.datetimes(datetime(2010, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))
zones, times = st.sampled_from(ZONES), st.times().map(lambda at: at.replace(microsecond=0))
quiets = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1])


def answer(id: str = "r2", after: timedelta = MINUTE, **facts: str | None) -> Answer:
    given: dict[str, str | None] = {"person": "dora@acme.example", "source": "zendesk", "ticket": "T-1", **facts}
    return Answer(id, given["person"], str(given["source"]), given["ticket"], NOON + after)


ON = NoisePolicy(duplicate_within=timedelta(minutes=10), robot_burst=5)
FIRST = answer("r1", timedelta(0))


def test_the_same_person_on_the_same_ticket_within_minutes_is_a_duplicate() -> None:
    found = again(answer(), [FIRST], ON)
    assert found is not None
    assert (found.cause, found.of) == ("duplicate", "r1")


@pytest.mark.parametrize(
    "other",
    [
        answer(after=11 * MINUTE),
        answer(person="erik@acme.example"),
        answer(ticket="T-2"),
        answer(ticket=None),
        answer(source="intercom"),
        answer(person=None),
        answer("r1"),
    ],
    ids=["later", "somebody else", "another ticket", "no ticket", "another helpdesk", "nobody known", "itself"],
)
def test_anything_else_is_an_answer_of_its_own(other: Answer) -> None:
    assert again(other, [FIRST], ON) is None


SAID = replace(FIRST, metric="csat", score=2.0, comment="It fails")


@pytest.mark.parametrize(
    ("facts", "repeats"),
    [
        ({}, True),
        ({"comment": "It fails"}, True),
        ({"comment": " It\nfails "}, True),
        ({"comment": "It still fails"}, False),
        ({"score": 1.0}, False),
        ({"metric": "nps"}, False),
        ({"at": NOON + 6 * MINUTE}, False),
        ({"at": NOON - 4 * MINUTE}, True),
    ],
)
def test_what_says_nothing_new_within_minutes_is_a_repeat_unless_switched_off(
    facts: dict[str, Any], repeats: bool
) -> None:
    new = replace(answer("r2"), **{"metric": "csat", "score": 2.0, **facts})
    assert (again(new, [SAID], NoisePolicy()) is not None) is repeats
    assert again(new, [SAID], NoisePolicy(repeat_within=timedelta(0))) is None


def test_many_answers_of_one_person_within_seconds_look_automatic() -> None:
    second = answer("r2", SECOND, ticket="T-2")
    assert again(second, [FIRST], ON) is None
    third = again(
        answer("r3", 2 * SECOND, ticket="T-3"),
        [FIRST, second],
        NoisePolicy(duplicate_within=timedelta(minutes=10), robot_burst=3),
    )
    assert third is not None
    assert third.cause == "automatic"
    assert "Looks automatic: 3 answers" in third.words
    assert again(answer("r3", 2 * SECOND, ticket="T-3"), [FIRST, second], NoisePolicy(robot_burst=0)) is None


@given(moments, zones, times)
def test_the_next_time_of_day_is_ahead_and_no_more_than_a_day_and_a_change_of_clocks_away(
    now: datetime, zone: ZoneInfo, local: time
) -> None:
    at = next_at(local, zone, now)
    assert timedelta(0) < at - now <= timedelta(hours=49)
    if at - now > timedelta(hours=26):
        assert str(zone) == "Pacific/Apia", "only there a whole day was left out"


# Half past two, when the hour from two to three is left out.
@example(datetime(2026, 3, 8, 5, tzinfo=UTC), ZoneInfo("America/New_York"), (time(20), time(2, 30)))
@given(moments, zones, quiets)
def test_quiet_hours_end_and_what_is_said_then_is_not_in_them(
    now: datetime, zone: ZoneInfo, hours: tuple[time, time]
) -> None:
    quiet = QuietHours.model_validate({"from": hours[0], "until": hours[1]})
    at = quiet_until(quiet, zone, now)
    if at is not None:
        assert now < at <= now + timedelta(hours=49)
        assert quiet_until(quiet, zone, at) is None


@given(
    moments,
    zones,
    quiets,
    st.booleans(),
    st.timedeltas(timedelta(days=-2), timedelta(days=9)),
    st.sampled_from(list(Severity)),
)
def test_nothing_is_lost_every_message_has_its_time_and_none_comes_after_its_touch_is_due(
    now: datetime, zone: ZoneInfo, hours: tuple[time, time], fold: bool, left: timedelta, severity: Severity
) -> None:
    policy = NoisePolicy(weekly_budget=1, quiet=QuietHours.model_validate({"from": hours[0], "until": hours[1]}))
    due = now + left
    at = held_until(case(severity, due), policy, zone, now, fold)
    if at is None:
        return
    assert severity is not Severity.CRITICAL
    assert now < at <= now + timedelta(days=4)
    assert due <= now or at <= due


def case(severity: Severity = Severity.LOW, due: datetime = NOON + DAY) -> Case:
    found = opened().case
    return replace(found, severity=severity, clocks=tuple(replace(clock, due_at=due) for clock in found.clocks))


def test_at_night_everything_but_the_critical_waits_for_the_morning() -> None:
    policy, night = NoisePolicy(quiet=NIGHT), datetime(2026, 11, 2, 22, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    assert held_until(case(Severity.HIGH, night + DAY), policy, berlin, night) == datetime(2026, 11, 3, 6, tzinfo=UTC)
    small_hours = datetime(2026, 11, 3, 2, tzinfo=UTC)
    assert held_until(case(Severity.HIGH, night + DAY), policy, berlin, small_hours) == small_hours + 4 * 60 * MINUTE
    assert held_until(case(Severity.CRITICAL, night + DAY), policy, berlin, night) is None
    assert held_until(case(Severity.HIGH, night + DAY), policy, berlin, night + 10 * timedelta(hours=1)) is None
    assert held_until(case(Severity.HIGH, night + MINUTE), policy, berlin, night) == night + MINUTE
    assert held_until(case(Severity.HIGH, night - DAY), policy, berlin, night) == datetime(2026, 11, 3, 6, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "waits"), [(10, False), (11, True), (17, True), (18, False), (23, False)])
def test_hours_within_one_day_are_quiet_from_the_first_until_the_last(hour: int, waits: bool) -> None:
    midday = QuietHours.model_validate({"from": time(11), "until": time(18)})
    now = NOON.replace(hour=hour)
    assert quiet_until(midday, ZoneInfo("UTC"), now) == (NOON.replace(hour=18) if waits else None)


NEW = Tell(NoticeKind.CARD, Priority.ALERT, ("owner", "support_lead"), since=NOON)
FAR = replace(ACCOUNT, renewal_date=date(2028, 1, 1))


@pytest.mark.parametrize(
    ("severity", "account", "tell", "waits"),
    [
        (Severity.LOW, FAR, NEW, True),
        (Severity.MEDIUM, replace(FAR, renewal_date=None), replace(NEW, kind=NoticeKind.JOINED), True),
        (Severity.HIGH, FAR, NEW, False),
        (Severity.CRITICAL, FAR, NEW, False),
        (Severity.LOW, replace(FAR, renewal_date=date(2026, 12, 1)), NEW, False),
        (Severity.LOW, replace(FAR, csm=None), NEW, False),
        (Severity.LOW, None, NEW, False),
        (Severity.LOW, FAR, replace(NEW, kind=NoticeKind.REMINDER), False),
        (Severity.LOW, FAR, replace(NEW, since=None), False),
    ],
    ids="low medium high critical before-renewal no-csm unknown-customer reminder not-new".split(),
)
def test_only_new_alerts_of_little_weight_fold(severity: Severity, account: object, tell: Tell, waits: bool) -> None:
    assert folds(case(severity), tell, account, timedelta(days=90), NOON) is waits  # type: ignore[arg-type]


def test_a_zone_nobody_knows_is_the_policys() -> None:
    assert str(zone_of("Mars/Base", "Europe/Berlin")) == "Europe/Berlin"
    assert str(zone_of(None, "nonsense")) == "UTC"


def test_a_digest_names_its_cases_and_how_many_more() -> None:
    few = digest("ana@us.example", case(), {"cases": [folded(case())]}, "https://closeloop.example/cases/")
    assert "1 low score beyond" in few.text
    assert f"https://closeloop.example/cases/{case().id}" in str(few.fields)
    many = digest("ana@us.example", case(), {"cases": [folded(case())] * 30}, None)
    assert len(many.fields) == MOST
    assert "23 more" in many.text


def test_the_policy_says_what_is_wrong() -> None:
    assert parse_policy('[noise.quiet]\nfrom = "20:00"\nuntil = 07:00:00\n').noise.quiet == NIGHT
    for wrong in ('[noise.quiet]\nfrom = "20:00"\n', '[noise.quiet]\nfrom = "20:00"\nuntil = "20:00"\n'):
        with pytest.raises(ConfigurationError, match="noise"):
            parse_policy(wrong)
