"""What the rules share: which thresholds hold for a response, and how its answer is said in words."""

from typing import Any, Final

from shared.events.catalog import SurveyResponded
from shared.policy import FlagOverride, FlagPolicy, Thresholds

_TOP: Final = {"csat": 5, "nps": 10, "ces": 7}
_BOTTOM: Final = {"csat": 1, "nps": 0, "ces": 1}
_RAW_CHARACTERS = 40


def thresholds_of(response: SurveyResponded, policy: FlagPolicy) -> Thresholds:
    """Those of `[flag]`, changed by the overrides of the source and then by those of the survey."""
    fitting = [override for override in policy.override if _fits(override, response)]
    changes: dict[str, float] = {}
    for override in sorted(fitting, key=lambda one: one.survey is not None):
        changes |= override.model_dump(include=set(Thresholds.model_fields), exclude_none=True)
    return policy.model_copy(update=changes) if changes else policy


def _fits(override: FlagOverride, response: SurveyResponded) -> bool:
    return override.source == response.source and override.survey in (None, response.survey_id)


def said(response: SurveyResponded) -> str:
    """`CSAT 2 of 5`; with the raw answer first where it was given on another scale: `CSAT "Bad" (1 of 5)`."""
    score = f"{response.normalised_score:g} of {_TOP[response.metric]}"
    raw = _raw(response.metric, response.raw_score, response.raw_scale)
    return f"{response.metric.upper()} {f'{raw} ({score})' if raw else score}"


def _raw(metric: str, raw: Any, scale: dict[str, Any] | None) -> str:
    if raw is None or scale is None:
        return ""
    if scale.get("type") not in ("integer", "number"):
        text = str(raw)[:_RAW_CHARACTERS]
        return f'"{text}"' if isinstance(raw, str) else text
    low, high = scale.get("min"), scale.get("max")
    if (low, high) == (_BOTTOM[metric], _TOP[metric]) and not scale.get("reversed"):
        return ""
    return f"{str(raw)[:_RAW_CHARACTERS]} on {low} to {high}{', low is good' if scale.get('reversed') else ''}"
