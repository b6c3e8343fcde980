"""Options of form tools, whose payloads do not say which answer is a score: questions mapped to metrics."""

from collections.abc import Mapping
from typing import Any

from services.ingest.scales import Scale, WordScale, words_of
from services.ingest.sources.options import scale
from services.ingest.sources.rating import DEFAULT_SCALES


def scored_question(value: Any) -> Scale:
    """`{ metric = "csat", min = 1, max = 5, reversed = false }`; without min and max the metric's own range. Of choices
    `{ metric = "csat", words = { "Very good" = 5, "Poor" = 1 } }`."""
    if not isinstance(value, Mapping) or value.get("metric") not in DEFAULT_SCALES:
        raise ValueError('must be like { metric = "csat", min = 1, max = 5 }')
    metric = value["metric"]
    rest = {key: part for key, part in value.items() if key != "metric"}
    if "words" in rest:
        return _worded(metric, rest)
    return scale(metric, rest) if rest else DEFAULT_SCALES[metric]


def _worded(metric: str, table: Mapping[str, Any]) -> WordScale:
    found = WordScale(metric, words_of(table["words"]))
    if set(table) != {"words"} or found.strays():
        raise ValueError(f"words must each stand for a {metric} on its own range, and are given without min and max")
    return found


def scored_questions(value: Any) -> dict[str, Scale]:
    if not isinstance(value, Mapping):
        raise ValueError('must be a table like { nps_score = { metric = "nps" } }')
    return {question: scored_question(table) for question, table in value.items()}


def questions(value: Any) -> tuple[dict[str, Scale], tuple[str, ...]]:
    """Scored questions, and those with `role = "comment"`."""
    if not isinstance(value, Mapping):
        raise ValueError('must be a table like { q1 = { metric = "nps" }, q2 = { role = "comment" } }')
    comments = tuple(key for key, table in value.items() if table == {"role": "comment"})
    return scored_questions({key: table for key, table in value.items() if key not in comments}), comments
