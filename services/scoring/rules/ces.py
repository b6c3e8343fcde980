"""CES: flagged below the threshold (policy key `flag.ces_below`)."""

from services.scoring.rules.thresholds import said
from shared.events.catalog import SurveyResponded
from shared.policy import Thresholds


def ces(response: SurveyResponded, thresholds: Thresholds) -> str | None:
    """The reason in words, or None when this rule does not flag."""
    if response.metric != "ces" or response.normalised_score is None:
        return None
    if response.normalised_score >= thresholds.ces_below:
        return None
    return f"{said(response)} is below {thresholds.ces_below:g}"
