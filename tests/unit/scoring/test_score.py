"""What is flagged, by which rule, and the words people read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.rules import RULES, Rule
from services.scoring.score import Verdict, score
from shared.events.catalog import SurveyResponded
from shared.policy import FlagPolicy, parse_policy

RECEIVED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DEFAULTS = FlagPolicy()
RANGES = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}


def response(metric: str, score: float | None, **changes: Any) -> SurveyResponded:
    answer = SurveyResponded(
        source="zendesk", unique_id="d-1", record_id="r-1", received_at=RECEIVED, metric=metric, normalised_score=score
    )
    return msgspec.structs.replace(answer, **changes)


def flag_policy(toml: str) -> FlagPolicy:
    return parse_policy(toml).flag


def words(verdict: Verdict) -> list[str]:
    return [reason.words for reason in verdict.reasons]


@pytest.mark.parametrize(
    ("metric", "highest_flagged", "lowest_good", "reason"),
    [
        ("csat", 3, 3.01, "CSAT 3 of 5 is at or below 3"),
        ("nps", 6, 7, "NPS 6 of 10 is at or below 6"),
        ("ces", 3.99, 4, "CES 3.99 of 7 is below 4"),
    ],
)
def test_default_policy_flags_up_to_the_threshold(
    metric: str, highest_flagged: float, lowest_good: float, reason: str
) -> None:
    assert words(score(response(metric, highest_flagged), DEFAULTS)) == [reason]
    assert score(response(metric, lowest_good), DEFAULTS) == Verdict(False, False, [])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
class TestEveryRule:
    def test_flags_the_worst_answer_and_names_itself(self, rule: Rule) -> None:
        metric = rule.__name__
        verdict = score(response(metric, RANGES[metric][0]), DEFAULTS)
        assert [reason.rule for reason in verdict.reasons] == [metric]

    def test_says_nothing_of_other_metrics_and_missing_scores(self, rule: Rule) -> None:
        others = [response(metric, worst) for metric, (worst, _) in RANGES.items() if metric != rule.__name__]
        for answer in [*others, response(rule.__name__, None), response("none", None)]:
            assert rule(answer, DEFAULTS) is None

    @given(data=st.data())
    def test_a_worse_answer_is_never_less_flagged(self, rule: Rule, data: st.DataObject) -> None:
        low, high = RANGES[rule.__name__]
        scores = st.floats(low, high)
        worse, better = sorted([data.draw(scores), data.draw(scores)])
        limits = {f"{m}_{'below' if m == 'ces' else 'at_most'}": data.draw(st.floats(*RANGES[m])) for m in RANGES}
        policy = FlagPolicy(**limits)
        if score(response(rule.__name__, better), policy).flagged:
            assert score(response(rule.__name__, worse), policy).flagged


@pytest.mark.parametrize(
    ("raw", "scale", "shown"),
    [
        (1, {"type": "integer", "min": 1, "max": 5}, "CSAT 1 of 5"),
        ("Bad", {"type": "ordinal", "values": ["Bad", "Okay", "Great"]}, 'CSAT "Bad" (1 of 5)'),
        ("0", {"type": "integer", "min": 0, "max": 2}, "CSAT 0 on 0 to 2 (1 of 5)"),
        (5, {"type": "integer", "min": 1, "max": 5, "reversed": True}, "CSAT 5 on 1 to 5, low is good (1 of 5)"),
        (-103, {"type": "freshdesk", "values": [-103, 103]}, "CSAT -103 (1 of 5)"),
        ("x" * 500, {"type": "ordinal", "values": []}, f'CSAT "{"x" * 40}" (1 of 5)'),
        (None, None, "CSAT 1 of 5"),
    ],
)
def test_reason_shows_the_answer_as_it_was_given(raw: Any, scale: Any, shown: str) -> None:
    verdict = score(response("csat", 1, raw_score=raw, raw_scale=scale), DEFAULTS)
    assert words(verdict) == [f"{shown} is at or below 3"]


def test_withdrawn_answer_goes_on_unflagged() -> None:
    assert score(response("csat", 1, withdrawn=True), DEFAULTS) == Verdict(False, False, [])


OVERRIDES = """
[flag]
csat_at_most = 2
[[flag.override]]
source = "zendesk"
survey = "vip"
csat_at_most = 4
[[flag.override]]
source = "zendesk"
csat_at_most = 3
nps_at_most = 8
"""


@pytest.mark.parametrize(
    ("source", "survey", "threshold"),
    [
        ("intercom", None, 2),
        ("zendesk", None, 3),
        ("zendesk", "other", 3),
        ("zendesk", "vip", 4),
        ("delighted", "vip", 2),
    ],
)
def test_survey_override_beats_source_override_beats_policy(source: str, survey: str | None, threshold: int) -> None:
    policy = flag_policy(OVERRIDES)
    flagged = [n for n in range(1, 6) if score(response("csat", n, source=source, survey_id=survey), policy).flagged]
    assert flagged == list(range(1, threshold + 1))


def test_survey_override_keeps_what_the_source_override_says_of_other_metrics() -> None:
    assert score(response("nps", 8, survey_id="vip"), flag_policy(OVERRIDES)).flagged


class TestLateAnswers:
    policy = flag_policy('[flag]\nignore_older_than = "7d"')

    def verdict(self, before: timedelta | None, stars: int = 1) -> Verdict:
        answered = None if before is None else RECEIVED - before
        return score(response("csat", stars, occurred_at=answered), self.policy)

    def test_old_answer_is_flagged_late_with_the_age_in_words(self) -> None:
        verdict = self.verdict(timedelta(days=12, hours=3))
        assert verdict.flagged
        assert verdict.late
        assert words(verdict)[-1] == "recorded as late: answered 12 days before it reached us"

    @pytest.mark.parametrize(
        "before", [None, timedelta(0), timedelta(days=7), -timedelta(days=400)], ids=["unsaid", "now", "limit", "skew"]
    )
    def test_recent_unsaid_or_future_time_is_on_time(self, before: timedelta | None) -> None:
        verdict = self.verdict(before)
        assert verdict.flagged
        assert not verdict.late

    def test_old_good_answer_is_not_late(self) -> None:
        assert self.verdict(timedelta(days=30), stars=5) == Verdict(False, False, [])

    def test_nothing_is_late_without_the_policy_key(self) -> None:
        assert not score(response("csat", 1, occurred_at=RECEIVED - timedelta(days=999)), DEFAULTS).late
