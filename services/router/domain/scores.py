"""A score in words with its scale, so that nobody mistakes a thumb for one star of five."""

from typing import Any

from services.router.domain.view import ResponseView

_TOP = {"csat": 5, "nps": 10, "ces": 7}
_BOTTOM = {"csat": 1, "nps": 0, "ces": 1}
_CSAT_WORDS = {1: "Very bad", 2: "Bad", 3: "Neutral", 4: "Good", 5: "Very good"}
_LONGEST = 40


def in_words(response: ResponseView) -> str:
    """`CSAT 2 of 5 (Bad)`, `NPS 3 of 10`; where the scale was another, what was really answered and on which one."""
    metric, score = response.metric, response.normalised_score
    if score is None or metric not in _TOP:
        return "No score"
    scale = response.raw_scale or {}
    if scale.get("type") == "ordinal":
        value = f"{number(score)} of {_TOP[metric]}"
        return f"{metric.upper()} {_short(response.raw_score)} ({value}; {_named(scale.get('values') or [])})"
    shown = f"{metric.upper()} {number(score)} of {_TOP[metric]}"
    if metric == "csat":
        shown += f" ({_CSAT_WORDS[min(5, max(1, round(score)))]})"
    return shown + _as_answered(response, scale)


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _as_answered(response: ResponseView, scale: dict[str, Any]) -> str:
    low, high, values = scale.get("min"), scale.get("max"), scale.get("values")
    answered = f", answered {_short(response.raw_score)}"
    if isinstance(values, list) and values:
        return f"{answered} on a {_named(values)}"
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    turned = ", low is good" if scale.get("reversed") else ""
    if (low, high) == (_BOTTOM[response.metric], _TOP[response.metric]) and not turned:
        return ""
    kind = "the two-step scale " if high - low == 1 else ""
    return f"{answered} on {kind}{number(low)} to {number(high)}{turned}"


def _named(values: list[Any]) -> str:
    if len(values) == 2:
        return f"two-step scale: {_short(values[0])} or {_short(values[1])}"
    return "scale: " + ", ".join(_short(value) for value in values[:7])


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
