"""Structured logs with event and case ids, and Prometheus metrics; never a secret, never customer text (G11)."""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.errors import where_it_failed
from shared.settings import LogSettings

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

WEBHOOKS = Counter("closeloop_webhooks_total", "Deliveries at the front door", ["source", "outcome"])
CONSUMED = Counter("closeloop_messages_consumed_total", "Messages handled", ["group", "topic"])
CONSUMER_LAG = Gauge("closeloop_consumer_lag", "Messages of the partitions held that are not handled yet", ["group"])
RETRIED = Counter("closeloop_batches_retried_total", "Batches tried again", ["group", "topic"])
DEAD = Counter("closeloop_dead_letters_total", "Messages that can never be handled", ["topic"])
FLAGGED = Counter("closeloop_responses_flagged_total", "Responses flagged", ["source", "metric"])
EVENT_TO_ALERT = Histogram(
    "closeloop_event_to_alert_seconds", "From received_at to the card seen in Slack", buckets=SECONDS
)
NOTICES = Counter("closeloop_notices_total", "Notices by end state", ["kind", "state"])
NOTICE_QUEUE_AGE = Gauge("closeloop_notice_queue_age_seconds", "Age of the oldest notice not yet sent")
DEADLINES_FIRED = Counter("closeloop_deadlines_fired_total", "Deadlines fired", ["kind"])
DEADLINE_LAG = Histogram("closeloop_deadline_lag_seconds", "From falling due to fired", buckets=SECONDS)
SOURCE_LAG = Histogram(
    "closeloop_source_lag_seconds", "From the vendor's time of an event to ours", ["source"], buckets=SECONDS
)
VENDOR_CALLS = Counter("closeloop_vendor_calls_total", "What came of asking a vendor's API", ["source", "outcome"])
EVENTS_LOST = Counter("closeloop_events_lost_total", "Responses no webhook brought, found by reconciling", ["source"])
SOURCE_ALARM = Gauge("closeloop_source_alarm", "1 while a source is silent, rejecting or refused", ["source", "state"])
LOOP_RESTARTS = Counter("closeloop_loop_restarts_total", "Loops restarted after an unexpected error", ["loop"])


class _Lines(logging.Formatter):
    """The lines of libraries."""

    def formatException(self, ei: Any) -> str:
        return where_it_failed(ei[1])

    def formatMessage(self, record: logging.LogRecord) -> str:
        if record.name == "asyncio":
            # Its further lines show the task, and with it what the error says.
            record.message = record.message.partition("\n")[0]
        return super().formatMessage(record)


def configure_logging(settings: LogSettings) -> None:
    level = getattr(logging, settings.level.upper())
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_Lines("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[lines])
    # Access logs would carry `?token=` of vendors that can send no header.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("slack_sdk").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if settings.format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(lambda raised: where_it_failed(raised[1])),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
