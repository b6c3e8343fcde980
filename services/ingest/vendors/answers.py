"""Answers to questions of a survey -> the response's score and comment. Pure."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from services.ingest.scales import Scale, ScoreError, WordScale
from services.ingest.sources import rating
from services.ingest.sources.options import scale_of
from services.ingest.sources.reading import comment_of
from services.ingest.vendors.base import Options
from services.ingest.vendors.translating import filled
from shared.errors import PoisonError
from shared.events.catalog import SurveyResponded

_NUMBER = re.compile(r"(?<![0-9])(?<![0-9][.,])[0-9]{1,2}(?![0-9]|[.,][0-9])", re.ASCII)
_LEADING_NUMBER = re.compile(rf"\s*({_NUMBER.pattern})\b", re.ASCII)
_A_NUMBER = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,6})?", re.ASCII)
_LONGEST_LABEL = 200


class Answered(NamedTuple):
    """One answer. `metric` is set where the vendor itself says so; `free` where the answer is the customer's text.
    `label` is what a choice is called, where that is not its value."""

    question: str
    value: Any
    metric: str | None = None
    free: bool = False
    label: str | None = None


def scored(event: SurveyResponded, answers: Iterable[Answered], options: Options) -> SurveyResponded:
    """The event with score and comment: by the option `questions`; without it, by what the vendor calls an NPS, and
    the first free text. Unchanged where nothing is a score. Raises PoisonError for a score outside its scale."""
    scales, comments = options.get("questions", ({}, ()))
    for answer in answers:
        scale = scales.get(answer.question) or _by_itself(answer, bool(scales), options)
        comment = answer.question in comments or (answer.free and not comments)
        may_score = not answer.free or (answer.question in scales and _is_number(answer.value))
        if scale is not None and may_score and event.metric == "none":
            event = _with_score(event, scale, answer)
        elif comment and event.comment is None and isinstance(answer.value, str):
            event = filled(event, comment=comment_of(answer.value))
    return event


def _is_number(value: Any) -> bool:
    """Sliders and number fields are texts."""
    return isinstance(value, str) and _A_NUMBER.fullmatch(value.strip()) is not None


def _by_itself(answer: Answered, declared: bool, options: Options) -> Scale | None:
    if declared or answer.metric is None:
        return None
    return scale_of(options, answer.metric, rating.DEFAULT_SCALES[answer.metric])


def _raw(answer: Answered, scale: Scale) -> Any:
    """SurveyMonkey weighs NPS choices as -100, 0 and 100: only their labels are scores."""
    if isinstance(scale, WordScale):
        return answer.label or answer.value
    number = _number_in(answer.label or "")
    labelled = number is not None and (scale.metric == "nps" or answer.value is None)
    return number if labelled else answer.value


def _number_in(label: str) -> str | None:
    """The number a label begins with, or has in it: `4`, `4 stars of 5`, `Not at all likely - 0`."""
    text = label[:_LONGEST_LABEL]
    leading, found = _LEADING_NUMBER.match(text), _NUMBER.findall(text)
    return leading[1] if leading else found[0] if len(found) == 1 else None


def _with_score(event: SurveyResponded, scale: Scale, answer: Answered) -> SurveyResponded:
    try:
        score = scale.score(_raw(answer, scale))
    except ScoreError as wrong:
        raise PoisonError(f"the question {answer.question}: {wrong}") from wrong
    if score is None:
        return event
    return filled(event, **rating.fields(score))
