"""Faults strike the calls they were meant for; buckets refill with the clock."""

import pytest

from services.slack_sandbox.faults import FaultBox, FaultKind
from services.slack_sandbox.limits import RateLimits


def test_a_fault_strikes_its_method_and_channel_as_often_as_asked() -> None:
    box = FaultBox()
    box.inject("500", method="chat.postMessage", channel="C1", count=2)
    struck = [
        box.take(method, channel) is not None
        for method, channel in [
            ("chat.update", "C1"),
            ("chat.postMessage", "C2"),
            ("chat.postMessage", "C1"),
            ("chat.postMessage", "C1"),
            ("chat.postMessage", "C1"),
        ]
    ]
    assert struck == [False, False, True, True, False]
    assert box.active == []


def test_chance_is_the_same_for_the_same_seed() -> None:
    def run(seed: int) -> list[bool]:
        box = FaultBox()
        box.inject("drop_after_storing", probability=0.3, seed=seed)
        return [box.take("chat.postMessage", "") is not None for _ in range(200)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 30 < sum(run(1)) < 90


def test_an_outage_beats_everything_until_cleared() -> None:
    box = FaultBox()
    box.inject("429", count=1)
    box.inject("outage")
    taken = [box.take("auth.test", "") for _ in range(3)]
    assert {fault.kind for fault in taken if fault} == {FaultKind.OUTAGE}
    box.clear("outage")
    following = box.take("auth.test", "")
    assert following
    assert following.kind is FaultKind.RATE_LIMITED


@pytest.mark.parametrize("options", [{"probability": 1.5}, {"count": 0}])
def test_senseless_faults_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        FaultBox().inject("500", **options)


def test_a_channel_takes_a_burst_and_then_one_message_a_second() -> None:
    now = 100.0
    limits = RateLimits(lambda: now, message_burst=2)
    assert [limits.retry_after_message("D1") for _ in range(3)] == [0, 0, 1]
    assert limits.retry_after_message("D2") == 0
    now += 1
    assert [limits.retry_after_message("D1") for _ in range(2)] == [0, 1]


def test_the_workspace_as_a_whole_takes_several_hundred_messages_a_minute() -> None:
    limits = RateLimits(lambda: 100.0, message_burst=3)
    answers = [limits.retry_after_message(f"D{number}") for number in range(301)]
    assert answers == [0] * 300 + [1]


def test_lifted_limits_never_wait() -> None:
    limits = RateLimits(lambda: 100.0, message_burst=1, enabled=False)
    assert {limits.retry_after_message("D1") for _ in range(1_000)} == {0}
