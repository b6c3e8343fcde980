"""CSAT: flagged at or below the threshold (policy key `flag.csat_at_most`)."""

from services.scoring.rules.thresholds import said
from shared.events.catalog import SurveyResponded
from shared.policy import Thresholds


def csat(response: SurveyResponded, thresholds: Thresholds) -> str | None:
    """The reason in words, or None when this rule does not flag."""
    if response.metric != "csat" or response.normalised_score is None:
        return None
    if response.normalised_score > thresholds.csat_at_most:
        return None
    return f"{said(response)} is at or below {thresholds.csat_at_most:g}"
