"""The doctor's questions about Slack: token, scopes, clock, and the people the policy names."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx

from services.doctor.diagnosis import Answers, Diagnosis, Patient, bad, good, warning
from services.router.channels.base import Reachable
from shared.policy import Policy

NEEDED = frozenset({"chat:write", "im:write", "im:history", "users:read", "users:read.email", "commands"})
"""reference: docs/slack.md; deploy/slack-manifest.yaml asks for these and for what other deliveries need."""
IN_CHANNELS = frozenset({"channels:read", "channels:history", "groups:read", "groups:history"})
IN_GROUPS = frozenset({"mpim:write", "mpim:history"})
SKEW_ALLOWED = timedelta(seconds=30)
_TIMEOUT_SECONDS = 10
_REINSTALL = "add them under OAuth & Permissions (or paste deploy/slack-manifest.yaml), then reinstall the app"


def needed_scopes(policy: Policy) -> frozenset[str]:
    """What delivery by this policy cannot do without."""
    routing = policy.routing
    channel = routing.pilot is not None or routing.delivery.startswith("channel:")
    return (
        NEEDED
        | (IN_CHANNELS if channel else frozenset())
        | (IN_GROUPS if routing.delivery == "group_dm" else frozenset())
    )


async def ask_slack(patient: Patient) -> Answers:
    settings = patient.configuration.settings.slack
    if settings.bot_token is None:
        yield warning("no token: alerts wait in the outbox", "set CLOSELOOP_SLACK__BOT_TOKEN (docs/slack.md)")
        return
    url = settings.api_url.rstrip("/") + "/auth.test"
    headers = {"authorization": f"Bearer {settings.bot_token.get_secret_value()}"}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            answer = await client.post(url, headers=headers)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        yield bad(
            f"does not answer: {type(error).__name__}", "check the way out to slack.com and CLOSELOOP_SLACK__API_URL"
        )
        return
    if not body.get("ok"):
        yield bad(f"refuses the token: {body.get('error')}", "copy the Bot User OAuth Token (xoxb-) again")
        return
    yield good(f"signed in to {body.get('team')} as {body.get('user')}")
    for found in (*_scopes(answer, patient.configuration.policy), *_skew(answer, patient)):
        yield found


def _scopes(answer: httpx.Response, policy: Policy) -> Iterator[Diagnosis]:
    granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
    missing = sorted(needed_scopes(policy) - granted)
    yield bad(f"scopes are missing: {', '.join(missing)}", _REINSTALL) if missing else good("has the scopes it needs")


def _skew(answer: httpx.Response, patient: Patient) -> Iterator[Diagnosis]:
    if "date" not in answer.headers:
        return
    skew = patient.clock.now() - parsedate_to_datetime(answer.headers["date"])
    if abs(skew) > SKEW_ALLOWED:
        seconds = abs(skew.total_seconds())
        yield bad(
            f"our clock is {seconds:.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} Slack's",
            "run NTP (chrony, systemd-timesyncd): signatures are refused and due times are wrong",
        )
    else:
        yield good("agrees with our clock")


async def ask_callbacks(patient: Patient) -> Answers:
    settings = patient.configuration.settings
    if settings.slack.bot_token is None:
        return
    if settings.slack.app_token is not None:
        yield good("buttons come by Socket Mode")
    elif settings.slack.signing_secret is None:
        yield bad("buttons cannot reach us", "set CLOSELOOP_SLACK__SIGNING_SECRET, or __APP_TOKEN for Socket Mode")
    elif settings.http.public_url is None:
        yield warning("buttons come by HTTP", "set CLOSELOOP_HTTP__PUBLIC_URL, and it as Request URL in the Slack app")
    else:
        yield good(f"buttons come to {settings.http.public_url}/slack/interactions")


async def ask_people_of_policy(patient: Patient) -> Answers:
    routing = patient.configuration.policy.routing
    if patient.channel is None:
        return
    for key, email in (("support_lead", routing.support_lead), ("fallback_owner", routing.fallback_owner)):
        found = await patient.channel.person(email)
        if isinstance(found, Reachable):
            yield good(f"routing.{key} {email} is reachable")
        else:
            why = getattr(found, "why", None) or getattr(found, "reason", None) or "rate limited"
            yield bad(f"routing.{key} {email}: {why}", "name somebody with an active account in this workspace")
