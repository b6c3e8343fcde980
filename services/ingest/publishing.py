"""From translated feedback to events and records of the log, each once."""

from collections.abc import Iterable

from services.ingest.sources.base import Feedback
from shared.events.catalog import SurveyResponded, survey_responded, ticket_changed
from shared.events.envelope import Record, to_record


def by_event_id(feedback: Iterable[Feedback]) -> dict[str, tuple[Feedback, Record]]:
    """The data and its record by event id, in order; duplicates within one request collapse because their ids do."""
    found: dict[str, tuple[Feedback, Record]] = {}
    for data in feedback:
        event = survey_responded(data) if isinstance(data, SurveyResponded) else ticket_changed(data)
        if event.id not in found:
            found[event.id] = (data, to_record(event))
    return found
