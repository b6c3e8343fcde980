"""Slack's rates are kept, whatever the mix of places; a pause Slack asks for holds everybody."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.delivery.breaker import Breaker
from services.router.delivery.rates import Call, Rates
from tests.support.domain import NOON


@given(wishes=st.lists(st.sampled_from(["D1", "D2", "D3"]), min_size=50, max_size=300), step=st.integers(1, 400))
def test_no_place_gets_more_than_one_message_a_second_but_for_a_short_burst(wishes: list[str], step: int) -> None:
    rates, now = Rates(), NOON
    sent: dict[str, list[float]] = {}
    for place in wishes:
        if rates.post_wait(place, now) <= 0:
            rates.take_post(place)
            sent.setdefault(place, []).append((now - NOON).total_seconds())
        now += timedelta(milliseconds=step)
    for times in sent.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= 2 + (times[last] - times[first]) + 1e-6


def test_the_wait_is_as_long_as_it_takes() -> None:
    rates = Rates()
    for _ in range(2):
        assert rates.post_wait("D1", NOON) == 0
        rates.take_post("D1")
    wait = rates.post_wait("D1", NOON)
    assert 0 < wait < 1.1
    assert rates.post_wait("D1", NOON + timedelta(seconds=wait)) <= 0
    assert rates.post_wait("D2", NOON) == 0


@pytest.mark.parametrize("call", [Call.LOOK, Call.LOOKUP])
def test_methods_of_the_third_tier_stay_under_fifty_a_minute(call: Call) -> None:
    rates, now, made = Rates(), NOON, []
    for _ in range(6_000):
        if rates.wait(call, now) <= 0:
            rates.take(call)
            made.append((now - NOON).total_seconds())
        now += timedelta(milliseconds=50)
    for first in made:
        within = [at for at in made if first <= at < first + 60]
        assert len(within) <= (50 if first >= 60 else 40 + 48)
    assert len(made) >= 40 + 0.79 * 300


def test_without_limits_only_pauses_count() -> None:
    rates = Rates(limits=False)
    for _ in range(500):
        rates.take(Call.LOOK)
    assert rates.wait(Call.LOOK, NOON) == 0


def test_a_pause_holds_one_kind_of_call_everywhere() -> None:
    rates = Rates(limits=False)
    rates.pause(Call.POST, NOON, 7)
    assert rates.post_wait("D1", NOON) == rates.post_wait("D2", NOON) == 7
    assert rates.update_wait(NOON) == 0
    rates.pause(Call.POST, NOON, 1)
    assert rates.post_wait("D1", NOON) == 7, "a shorter pause does not end a longer one"


def test_the_breaker_opens_after_five_failures_in_a_row_and_asks_ever_more_gently() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed("timeout", NOON)
    breaker.succeeded()
    for _ in range(4):
        breaker.failed("timeout", NOON)
    assert not breaker.is_open
    breaker.failed("timeout", NOON)
    assert breaker.is_open
    waits = []
    now = NOON
    for _ in range(8):
        assert breaker.probe_at is not None
        waits.append((breaker.probe_at - now).total_seconds())
        now = breaker.probe_at
        breaker.still_down("timeout", now)
    assert waits == sorted(waits)
    assert waits[0] == 1
    assert waits[-1] == 15
    breaker.close()
    assert not breaker.is_open
