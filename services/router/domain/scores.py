"""A score in words with its scale, so that nobody mistakes a thumb for one star of five."""

from typing import Any

from services.router.domain.view import ResponseView

_TOP = {"csat": 5, "nps": 10, "ces": 7}
_BOTTOM = {"csat": 1, "nps": 0, "ces": 1}
_CSAT_WORDS = {1: "Very bad", 2: "Bad", 3: "Neutral", 4: "Good", 5: "Very good"}
_LONGEST = 40


def in_words(response: ResponseView) -> str:
    """`CSAT 2 of 5 (Bad)`, `NPS 3 of 10`; a word scale is named with its words, any other with its ends."""
    metric, score = response.metric, response.normalised_score
    if score is None or metric not in _TOP:
        return "No score"
    words = response.raw_scale or {}
    if words.get("type") == "ordinal":
        return f"{metric.upper()} {_short(response.raw_score)} ({_ordinal(words.get('values') or [])})"
    shown = f"{metric.upper()} {number(score)} of {_TOP[metric]}"
    if metric == "csat":
        shown += f" ({_CSAT_WORDS[min(5, max(1, round(score)))]})"
    return shown + _as_answered(response, words)


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _ordinal(values: list[Any]) -> str:
    named = [_short(value) for value in values[:7]]
    if len(named) == 2:
        return f"two-step scale: {named[0]} or {named[1]}"
    return f"scale: {', '.join(named)}"


def _as_answered(response: ResponseView, scale: dict[str, Any]) -> str:
    low, high = scale.get("min"), scale.get("max")
    if (low, high) == (_BOTTOM[response.metric], _TOP[response.metric]) and not scale.get("reversed"):
        return ""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        values = scale.get("values")
        ends = f" of {_short(values[0])} to {_short(values[-1])}" if values else ""
        return f", answered {_short(response.raw_score)}{ends}" if values else ""
    turned = ", low is good" if scale.get("reversed") else ""
    kind = "two-step scale " if high - low == 1 else ""
    return f", answered {_short(response.raw_score)} on {kind}{number(low)} to {number(high)}{turned}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
