"""A vendor's score on its scale, as the fields of a response."""

from typing import Any

from services.ingest.scales import CES_1_7, CSAT_1_5, NPS_0_10, Scale, Score, ScoreError
from services.ingest.sources.base import Options, Unprocessable
from services.ingest.sources.options import scale_of

DEFAULT_SCALES = {"csat": CSAT_1_5, "nps": NPS_0_10, "ces": CES_1_7}


def rate(scale: Scale, raw: Any, name: str) -> Score | None:
    """None where there is no score. Raises Unprocessable naming the field and the scale."""
    try:
        return scale.score(raw)
    except ScoreError as wrong:
        raise Unprocessable(f"{name}: {wrong}.") from None


def rate_metric(metric: str, raw: Any, options: Options, name: str) -> Score | None:
    """On the option `<metric>_scale`, else on the metric's own range. Raises Unprocessable."""
    return rate(scale_of(options, metric, DEFAULT_SCALES[metric]), raw, name)


def fields(score: Score) -> dict[str, Any]:
    return {
        "metric": score.metric,
        "raw_score": score.raw,
        "raw_scale": score.raw_scale,
        "normalised_score": score.normalised,
    }
