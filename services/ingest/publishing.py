"""From translated feedback to events and records of the log, each once; thin events go the way of enrichment."""

from collections.abc import Callable, Iterable, Mapping

from services.ingest.sources.base import Feedback
from shared.bus.base import Topic
from shared.events.catalog import FEEDBACK_THIN, SurveyResponded, survey_responded, ticket_changed
from shared.events.envelope import Event, Record, to_record

Needs = Mapping[str, Callable[[Feedback], bool]]
"""By source that can be asked: whether an event lacks what its vendor's API has."""
NOTHING: Needs = {}


def by_event_id(feedback: Iterable[Feedback], needs: Needs = NOTHING) -> dict[str, tuple[Feedback, Record]]:
    """The data and its record by event id, in order; duplicates within one request collapse because their ids do."""
    found: dict[str, tuple[Feedback, Record]] = {}
    for data in feedback:
        event = event_of(data, FEEDBACK_THIN) if _is_thin(data, needs) else event_of(data)
        if event.id not in found:
            found[event.id] = (data, to_record(event))
    return found


def _is_thin(data: Feedback, needs: Needs) -> bool:
    """Whether it is to be enriched first; what was withdrawn has nothing more to say."""
    lacks = needs.get(data.source)
    withdrawn = isinstance(data, SurveyResponded) and data.withdrawn
    return lacks is not None and not withdrawn and lacks(data)


def event_of(data: Feedback, *topic: Topic) -> Event:
    """For the topic of its kind, or another."""
    return survey_responded(data, *topic) if isinstance(data, SurveyResponded) else ticket_changed(data, *topic)
