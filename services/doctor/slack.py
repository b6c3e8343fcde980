"""The doctor's questions about Slack: token, scopes, buttons, clock, and the people the policy names."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx

from services.doctor.diagnosis import Answers, Patient, bad, good, warning
from services.router.channels.base import NotSent, Reachable, Unreachable
from services.router.slack.preflight import slack_problems

SKEW_ALLOWED = timedelta(seconds=30)
_TIMEOUT_SECONDS = 10


async def ask_slack(patient: Patient) -> Answers:
    if patient.channel is None:
        yield warning("no token: alerts wait in the outbox", "set CLOSELOOP_SLACK__BOT_TOKEN (docs/slack.md)")
        return
    problems = await slack_problems(patient.runtime)
    for problem in problems:
        words, _, todo = problem.rpartition(": ")
        yield bad(words, todo)
    if not problems:
        yield good("takes our messages, and the app may do what it needs")


async def ask_buttons(patient: Patient) -> Answers:
    settings = patient.runtime.settings
    if patient.channel is None:
        return
    if settings.slack.app_token is not None:
        yield good("come by Socket Mode")
    elif settings.http.public_url is None:
        yield warning("come by HTTP, to an address that we are not told", "set CLOSELOOP_HTTP__PUBLIC_URL")
    else:
        yield good(f"come to {settings.http.public_url}/slack/interactions")


async def ask_people(patient: Patient) -> Answers:
    routing = patient.runtime.policy.routing
    if patient.channel is None:
        return
    for key, email in (("support_lead", routing.support_lead), ("fallback_owner", routing.fallback_owner)):
        match await patient.channel.person(email):
            case Reachable():
                yield good(f"routing.{key} {email} is reachable")
            case Unreachable(why=why) | NotSent(reason=why):
                yield bad(f"routing.{key} {email} {why}", "name somebody with an active account in this workspace")
            case _:
                yield warning(f"routing.{key} {email} could not be looked up now", "ask again in a minute")


async def ask_clock(patient: Patient) -> Answers:
    """Against the Date of whatever answers under the API's address."""
    if patient.channel is None:
        return
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            answer = await client.get(patient.runtime.settings.slack.api_url)
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, KeyError, ValueError):
        yield warning("Slack's time is not known", "check that NTP runs")
        return
    skew = patient.runtime.clock.now() - theirs
    if abs(skew) > SKEW_ALLOWED:
        yield bad(
            f"{abs(skew.total_seconds()):.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} Slack's",
            "run NTP (chrony, systemd-timesyncd): until then signatures are refused and due times are wrong",
        )
    else:
        yield good("agrees with Slack's")
