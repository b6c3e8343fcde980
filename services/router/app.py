"""The router service: the one with state. Puts its loops, doors and checks together."""

import asyncio

from services.router.api import service as api
from services.router.audit import service as audit
from services.router.cases import Cases
from services.router.channels.email import EmailChannel
from services.router.channels.slack import SlackChannel
from services.router.console import service as console
from services.router.covering import Covering
from services.router.deadlines import Sweeper
from services.router.delivery.mailing import Mailer
from services.router.delivery.silence import Silence
from services.router.delivery.undelivered import Undelivered
from services.router.directory import Directory
from services.router.finding import Finder
from services.router.intake import Intake
from services.router.raising import Raiser
from services.router.relay import Relay
from services.router.sessions import Sessions
from services.router.slack.errors import WORKSPACE
from services.router.slack.service import SlackService, checks
from services.router.sources_health import SourcesHeard, Watch
from shared.bus.consumer import ConsumerLoop
from shared.events.catalog import ACCOUNTS_UPDATED, FEEDBACK_SCORED, SOURCES_HEARD, TICKETS_CHANGED
from shared.runtime import Check, Loop, Runtime, Service

INTAKE_GROUP = "closeloop-router-intake"
DIRECTORY_GROUP = "closeloop-router-directory"
SOURCES_GROUP = "closeloop-router-sources"
BATCH_OF_RESPONSES = 100
"""One of each partition may be in hand, at about 80 responses a second: another router that joins waits for them."""


def build(runtime: Runtime) -> Service:
    """Needs a database. Any number of routers may share it."""
    database = runtime.database
    if database is None:
        raise ValueError("the router needs a database")
    news = asyncio.Event()
    wake = news.set
    policy, clock, bus = runtime.policy, runtime.clock, runtime.bus
    cases = Cases(policy)
    covering = Covering(database, cases, policy, clock, wake)
    finder = Finder(policy)
    raiser = Raiser(cases, finder, policy)
    intake = Intake(database, cases, finder, raiser, clock, wake)
    directory = Directory(database, cases, finder, raiser, clock, wake)
    responses = ConsumerLoop(
        bus, INTAKE_GROUP, [FEEDBACK_SCORED.name], intake.handle, clock, max_records=BATCH_OF_RESPONSES
    )
    records = ConsumerLoop(bus, DIRECTORY_GROUP, [ACCOUNTS_UPDATED.name, TICKETS_CHANGED.name], directory.handle, clock)
    slack = SlackService(runtime, cases, news)
    heard = ConsumerLoop(bus, SOURCES_GROUP, [SOURCES_HEARD.name], SourcesHeard(database, clock).handle, clock)
    channel = SlackChannel(slack.client) if runtime.settings.slack.bot_token is not None else None
    watch = Watch(database, clock, channel, policy.routing.fallback_owner)
    sessions = Sessions(runtime)
    smtp = runtime.settings.smtp
    mailer = Mailer(database, EmailChannel(smtp, clock), clock, runtime.settings.http.public_url)
    silence = Silence(database, Undelivered(cases, policy, smtp), clock, policy.sla.alert_within, WORKSPACE)
    return Service(
        "router",
        routes=[
            *slack.routes(),
            *api.routes(runtime, cases, wake, sessions),
            *console.routes(runtime, cases, wake, sessions),
        ],
        loops=[
            Loop("intake", responses.run),
            Loop("directory", records.run),
            Loop("deadlines", Sweeper(database, cases, raiser, clock, wake).run),
            Loop("covers", covering.run),
            Loop("relay", Relay(database, bus, clock).run),
            Loop("sources heard", heard.run),
            Loop("sources", watch.run),
            *slack.loops(),
            *([Loop("e-mail", mailer.run), Loop("silence", silence.run)] if smtp.host is not None else []),
            *audit.loops(runtime),
        ],
        checks=[
            Check("database", database.ping),
            Check("intake", responses.check, needed_for_ready=False),
            Check("directory", records.check, needed_for_ready=False),
            Check("sources heard", heard.check, needed_for_ready=False),
            *checks(runtime),
        ],
        close=slack.close,
    )
