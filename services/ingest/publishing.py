"""From translated feedback to events and records of the log, each once; thin events go the way of enrichment."""

from collections.abc import Callable, Iterable, Mapping

from services.ingest.sources.base import Feedback
from shared.bus.base import Topic
from shared.events.catalog import FEEDBACK_RECEIVED, FEEDBACK_THIN, SurveyResponded, survey_responded, ticket_changed
from shared.events.envelope import Record, to_record

Needs = Mapping[str, Callable[[SurveyResponded], bool]]
"""By source that can be asked: whether an event lacks what its vendor's API has."""
NOTHING: Needs = {}


def by_event_id(feedback: Iterable[Feedback], needs: Needs = NOTHING) -> dict[str, tuple[Feedback, Record]]:
    """The data and its record by event id, in order; duplicates within one request collapse because their ids do."""
    found: dict[str, tuple[Feedback, Record]] = {}
    for data in feedback:
        if isinstance(data, SurveyResponded):
            event = survey_responded(data, topic_of(data, needs))
        else:
            event = ticket_changed(data)
        if event.id not in found:
            found[event.id] = (data, to_record(event))
    return found


def topic_of(data: SurveyResponded, needs: Needs) -> Topic:
    """Where a response goes: to be enriched first, where that is needed and can be done."""
    thin = needs.get(data.source)
    return FEEDBACK_THIN if thin is not None and not data.withdrawn and thin(data) else FEEDBACK_RECEIVED
