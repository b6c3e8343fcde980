"""NPS: flagged at or below the threshold (policy key `flag.nps_at_most`)."""

from services.scoring.rules.thresholds import said
from shared.events.catalog import SurveyResponded
from shared.policy import Thresholds


def nps(response: SurveyResponded, thresholds: Thresholds) -> str | None:
    """The reason in words, or None when this rule does not flag."""
    if response.metric != "nps" or response.normalised_score is None:
        return None
    if response.normalised_score > thresholds.nps_at_most:
        return None
    return f"{said(response)} is at or below {thresholds.nps_at_most:g}"
