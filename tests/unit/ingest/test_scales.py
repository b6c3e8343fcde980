"""Scores of any scale become CSAT 1-5, NPS 0-10 and CES 1-7, and nothing else does."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.ingest.scales import (
    CES_1_7,
    CSAT_1_5,
    GOOD_BAD,
    NPS_0_10,
    RANGES,
    NumberScale,
    OrdinalScale,
    ScoreError,
)

metrics = st.sampled_from(sorted(RANGES))
ends = st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)).filter(lambda pair: pair[0] < pair[1])
FRESHDESK = OrdinalScale("csat", (103, 102, 101, 100, -101, -102, -103), (5, 4.33, 3.67, 3, 2.33, 1.67, 1))


@pytest.mark.parametrize(
    ("scale", "raw", "normalised"),
    [
        (CSAT_1_5, 1, 1),
        (CSAT_1_5, "5", 5),
        (NPS_0_10, 0, 0),
        (NPS_0_10, " 9 ", 9),
        (NPS_0_10, 7.0, 7),
        (CES_1_7, "3", 3),
        (NumberScale("ces", 1, 5), 2, 2.5),
        (NumberScale("csat", 0, 2), "1", 3),
        (NumberScale("csat", 1, 7), 2, 1.67),
        (NumberScale("ces", 1, 7, reversed=True), 7, 1),
        (NumberScale("csat", 1, 5, fractions=True), "4.5", 4.5),
        (NumberScale("nps", 0, 100), 55, 5.5),
    ],
)
def test_scores_are_mapped_linearly_onto_the_metrics_range(scale: NumberScale, raw: Any, normalised: float) -> None:
    score = scale.score(raw)
    assert score is not None
    assert (score.raw, score.normalised) == (raw, normalised)


@pytest.mark.parametrize("raw", [None, "", "  ", "null", "None", "NULL"])
def test_no_answer_is_no_score(raw: Any) -> None:
    assert NPS_0_10.score(raw) is None


@pytest.mark.parametrize(
    "raw",
    [True, False, math.nan, math.inf, -math.inf, "NaN", "Infinity", "1e3", "0x5", "５", "4,5", "four", "1_0", [], {},
     [3], {"a": 1}, b"4", 10**400, -(10**400), 1e300, "9" * 5000, "+-3", "3 4"],
    ids=lambda raw: str(raw)[:12],
)  # fmt: skip
def test_what_is_not_a_number_is_no_score_but_an_error(raw: Any) -> None:
    with pytest.raises(ScoreError):
        NPS_0_10.score(raw)


@pytest.mark.parametrize("raw", [-1, 11, "11", 10.5])
def test_an_error_names_the_scale(raw: Any) -> None:
    with pytest.raises(ScoreError, match=r"nps .* its scale 0 to 10"):
        NPS_0_10.score(raw)


def test_an_error_quotes_no_more_than_a_word() -> None:
    with pytest.raises(ScoreError) as refused:
        CSAT_1_5.score("my card number is " + "4" * 1000)
    assert len(str(refused.value)) < 80


@pytest.mark.parametrize(("low", "high"), [(5, 1), (3, 3)])
def test_an_empty_scale_is_refused_with_advice(low: int, high: int) -> None:
    with pytest.raises(ScoreError, match="reversed = true"):
        NumberScale("csat", low, high)


def test_words_keep_their_order_and_meaning() -> None:
    assert GOOD_BAD.score("Good, I'm satisfied", "good").normalised == 5
    assert [FRESHDESK.score(raw, raw).normalised for raw in (103, 100, -103)] == [5, 3, 1]
    with pytest.raises(ScoreError, match="outside its scale bad, good"):
        GOOD_BAD.score("meh", "meh")


@given(metric=metrics, ends=ends, backwards=st.booleans(), data=st.data())
def test_every_score_on_a_scale_lands_in_the_metrics_range(
    metric: str, ends: tuple[int, int], backwards: bool, data: st.DataObject
) -> None:
    raw = data.draw(st.integers(*ends))
    score = NumberScale(metric, *ends, reversed=backwards).score(raw)
    low, high = RANGES[metric]
    assert score is not None
    assert low <= score.normalised <= high
    assert round(score.normalised, 2) == score.normalised


@given(metric=metrics, ends=ends, data=st.data())
def test_better_answers_never_get_lower_scores_and_reversing_turns_them_round(
    metric: str, ends: tuple[int, int], data: st.DataObject
) -> None:
    worse, better = sorted((data.draw(st.integers(*ends)), data.draw(st.integers(*ends))))
    up, down = NumberScale(metric, *ends), NumberScale(metric, *ends, reversed=True)
    assert up.score(worse).normalised <= up.score(better).normalised
    assert down.score(worse).normalised >= down.score(better).normalised
    assert up.score(ends[1]).normalised == down.score(ends[0]).normalised == RANGES[metric][1]


@given(metric=metrics, ends=ends, raw=st.integers() | st.floats() | st.text())
def test_nothing_outside_a_scale_gets_a_score(metric: str, ends: tuple[int, int], raw: Any) -> None:
    assume(not (isinstance(raw, int | float) and ends[0] <= raw <= ends[1]))
    assume(not (isinstance(raw, str) and any(letter.isascii() and letter.isdigit() for letter in raw)))
    try:
        assert NumberScale(metric, *ends).score(raw) is None
    except ScoreError:
        return
    assert isinstance(raw, str)
