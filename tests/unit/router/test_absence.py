"""Who covers whom: chains are followed, circles are found, and whatever overlaps has one answer."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.absence import SETTLE, Absences, Cover, absences

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANA, EVA, TOM = "ana@us.example", "eva@us.example", "tom@us.example"


def cover(
    person: str,
    by: str | None,
    starts: datetime = NOON - DAY,
    ends: datetime | None = datetime(2026, 11, 28, tzinfo=UTC),
    made: datetime = NOON - 2 * DAY,
    timezone: str = "UTC",
    ended: datetime | None = None,
) -> Cover:
    return Cover(f"{person}-{by}-{made}", person, by, starts, ends, made, timezone, ended)


def who(*covers: Cover, at: datetime = NOON) -> Absences:
    return absences(covers, at)


def test_the_cover_stands_in_and_the_words_say_for_whom_and_how_long() -> None:
    stand_in = who(cover(ANA, EVA)).of(ANA)
    assert stand_in is not None
    assert (stand_in.email, stand_in.words) == (EVA, "covers for ana@us.example until Fri 27 Nov")


def test_the_last_day_is_called_as_where_the_person_lives() -> None:
    midnight_in_new_york = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
    stand_in = who(cover(ANA, EVA, ends=midnight_in_new_york, timezone="America/New_York")).of(ANA)
    assert stand_in is not None
    assert stand_in.words.endswith("until Fri 27 Nov")


def test_who_is_there_needs_nobody() -> None:
    everybody = who(cover(ANA, EVA), cover(TOM, EVA, starts=NOON + DAY), cover(EVA, TOM, ended=NOON - DAY))
    assert everybody.of(TOM) is None
    assert everybody.of(EVA) is None


def test_a_chain_ends_with_the_first_who_is_there_and_says_by_way_of_whom() -> None:
    stand_in = who(cover(ANA, EVA), cover(EVA, TOM)).of(ANA)
    assert stand_in is not None
    assert stand_in.email == TOM
    assert stand_in.words == "covers for ana@us.example until Fri 27 Nov, by way of eva@us.example"


def test_a_circle_covers_nobody_and_is_named() -> None:
    stand_in = who(cover(ANA, EVA), cover(EVA, TOM), cover(TOM, ANA)).of(ANA)
    assert stand_in is not None
    assert stand_in.email is None
    assert "circle: ana@us.example -> eva@us.example -> tom@us.example -> ana@us.example" in stand_in.words


def test_an_absence_without_a_cover_says_so() -> None:
    stand_in = who(cover(ANA, EVA), cover(EVA, None, ends=None)).of(EVA)
    assert stand_in is not None
    assert stand_in.email is None
    assert stand_in.words == "eva@us.example is away until they are back and nobody is named to cover"


@pytest.mark.parametrize(("first", "last"), [(EVA, TOM), (TOM, EVA)])
def test_of_two_covers_at_once_the_one_made_last_counts(first: str, last: str) -> None:
    earlier, later = cover(ANA, first, made=NOON - 3 * DAY), cover(ANA, last, made=NOON - 2 * DAY)
    for order in ((earlier, later), (later, earlier)):
        stand_in = who(*order).of(ANA)
        assert stand_in is not None
        assert stand_in.email == last


PEOPLE = st.sampled_from([ANA, EVA, TOM, "kim@us.example", "lea@us.example"])
INSTANTS = st.integers(-72, 72).map(lambda hours: NOON + timedelta(hours=hours))


@st.composite
def covers(draw: st.DrawFn) -> Cover:
    starts = draw(INSTANTS)
    person = draw(PEOPLE)
    by = draw(st.none() | PEOPLE.filter(lambda other: other != person))
    ends = draw(st.none() | st.integers(1, 96).map(lambda hours: starts + timedelta(hours=hours)))
    ended = draw(st.none() | INSTANTS)
    return Cover(draw(st.uuids()).hex, person, by, starts, ends, draw(INSTANTS), "Europe/Berlin", ended)


@given(st.lists(covers(), max_size=12), INSTANTS, st.randoms(use_true_random=False))
def test_whatever_the_covers_a_stand_in_is_there_and_somebody_else(listed: list[Cover], at: datetime, shuffle) -> None:  # type: ignore[no-untyped-def]
    known = absences(listed, at)
    again = list(listed)
    shuffle.shuffle(again)
    for person in (ANA, EVA, TOM, "kim@us.example", "lea@us.example"):
        stand_in = known.of(person)
        assert stand_in == absences(again, at).of(person), "the order of rows decides nothing"
        away = any(item.person == person and item.holds(at) for item in listed)
        assert (stand_in is not None) == away
        if stand_in is not None:
            assert stand_in.words
            assert stand_in.email != person
            assert stand_in.email is None or known.of(stand_in.email) is None


@given(covers(), INSTANTS)
def test_every_turn_of_an_absence_is_looked_at_in_time_and_the_looks_come_to_an_end(item: Cover, at: datetime) -> None:
    looks: list[datetime] = []
    after = item.created_at - timedelta(microseconds=1)
    while (look := item.next_look(after)) is not None:
        looks.append(look)
        after = look
    assert len(looks) <= 4
    moments = [item.created_at, *looks]
    for earlier, later in zip(moments, [*moments[1:], None], strict=True):
        between = earlier + SETTLE / 3 if later is None else earlier + (later - earlier) / 2
        assert item.holds(earlier) == item.holds(between) or earlier == item.created_at
