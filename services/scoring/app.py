"""The scoring service: every response received is scored by the policy and goes on, flagged or not."""

from collections.abc import Sequence

import msgspec

from services.scoring.score import score
from shared.bus.consumer import ConsumerLoop
from shared.errors import PoisonError
from shared.events.catalog import FEEDBACK_RECEIVED, FeedbackScored, SurveyResponded, feedback_scored
from shared.events.envelope import Message, Record, decode_data, from_message, to_record
from shared.observability import FLAGGED
from shared.runtime import Check, Loop, Runtime, Service

GROUP = "closeloop-scoring"
_decoder = msgspec.json.Decoder(SurveyResponded)


def build(runtime: Runtime) -> Service:
    """Stateless: reads `feedback.received`, writes `feedback.scored`."""
    scorer = Scorer(runtime)
    loop = ConsumerLoop(runtime.bus, GROUP, [FEEDBACK_RECEIVED.name], scorer.handle, runtime.clock)
    # In one process with ingest, a stopped scorer must not turn webhooks away: the log keeps them.
    check = Check("scoring", loop.check, needed_for_ready=not runtime.settings.embedded)
    return Service("scoring", loops=[Loop("scoring", loop.run)], checks=[check])


class Scorer:
    def __init__(self, runtime: Runtime) -> None:
        self._bus = runtime.bus
        self._clock = runtime.clock
        self._policy = runtime.policy.flag
        self._policy_version = runtime.policy.version

    async def handle(self, messages: Sequence[Message]) -> None:
        """One publish for the whole batch. Raises PoisonError for what is not a survey response."""
        scored = [self._scored(message) for message in messages]
        await self._bus.publish([record for record, _ in scored])
        for _, data in scored:
            if data.flagged:
                FLAGGED.labels(data.response.source, data.response.metric).inc()

    def _scored(self, message: Message) -> tuple[Record, FeedbackScored]:
        event = from_message(message)
        if event.type != SurveyResponded.TYPE:
            raise PoisonError(f"{event.type} does not belong on {message.topic}")
        response: SurveyResponded = decode_data(event, _decoder)
        verdict = score(response, self._policy)
        data = FeedbackScored(
            response=response,
            flagged=verdict.flagged,
            late=verdict.late,
            reasons=verdict.reasons,
            policy_version=self._policy_version,
            scored_at=self._clock.now(),
        )
        return to_record(feedback_scored(data, of_event=event.id)), data
