"""Backoff spans: they grow, they have a cap, and jitter only ever shortens them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.retry import Backoff, is_transient
from shared.errors import BusUnavailable, ConfigurationError, DatabaseUnavailable, PoisonError

attempts = st.integers(1, 10_000)
jitters = st.floats(0, 1)


@given(attempt=attempts, jitter=jitters)
def test_a_span_is_between_half_of_the_first_and_the_cap(attempt: int, jitter: float) -> None:
    backoff = Backoff()
    assert backoff.first / 2 <= backoff.span(attempt, jitter) <= backoff.cap


@given(attempt=attempts, jitter=jitters)
def test_a_later_attempt_never_waits_less(attempt: int, jitter: float) -> None:
    assert Backoff().span(attempt, jitter) <= Backoff().span(attempt + 1, jitter)


def test_the_cap_is_reached_within_seconds() -> None:
    spans = [Backoff().span(attempt, 0) for attempt in range(1, 8)]
    assert spans[0] == timedelta(milliseconds=100)
    assert spans[-1] == timedelta(seconds=5)
    assert sum(spans, timedelta(0)) < timedelta(seconds=15)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (BusUnavailable("down"), True),
        (DatabaseUnavailable("down"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(28, "no space left on device"), True),
        (PoisonError("bad"), False),
        (ConfigurationError("bad"), False),
        (ValueError("bad"), False),
        (KeyError("bad"), False),
    ],
)
def test_only_what_can_pass_by_itself_is_transient(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient
