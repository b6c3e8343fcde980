"""What Slack says of a user: whether they may be alerted and act, and whether their status looks like an absence. Pure.

Fields: https://docs.slack.dev/reference/objects/user-object
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_AWAY_EMOJI = frozenset(
    ":palm_tree: :desert_island: :beach_with_umbrella: :airplane: :airplane_departure: :luggage: :camping: :ski: "
    ":baby: :face_with_thermometer: :mask: :hospital: :sick: :no_entry: :parasol_on_ground:".split()
)
_AWAY_WORDS = re.compile(
    r"\b(vacation\w*|vacationing|holidays?|on leave|parental leave|annual leave|out of (the )?office|ooo|pto|day off|"
    r"off sick|sick|ill|away|travell?ing|urlaub|krank|vacances|congés?|vacaciones|ferie)\b",
    re.IGNORECASE,
)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Home:
    """The workspace the app is installed in, and the organisation it belongs to."""

    team: str
    enterprise: str | None = None


@dataclass(frozen=True, slots=True)
class AwayHint:
    """`words` are the status as the person wrote it; `until` where the status names an end."""

    words: str
    until: datetime | None


def unfit(user: Mapping[str, Any], home: Home | None = None) -> str | None:
    """Why a Slack user may neither be alerted nor act: only full, active members of our own company may."""
    if user.get("deleted"):
        return "is deactivated in Slack"
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
        return "is a bot in Slack"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "is a guest in Slack"
    if user.get("is_stranger") or (home is not None and _foreign(user, home)):
        return "belongs to another company"
    return None


def away_hint(user: Mapping[str, Any]) -> AwayHint | None:
    """A status such as a palm tree or "vacation". It is only ever shown: nothing is silenced because of it."""
    profile = user.get("profile")
    if not isinstance(profile, Mapping):
        return None
    emoji, text = str(profile.get("status_emoji") or ""), str(profile.get("status_text") or "")
    if emoji not in _AWAY_EMOJI and not _AWAY_WORDS.search(text):
        return None
    words = " ".join(text.split())[:_SHOWN] or emoji.strip(":").replace("_", " ")
    return AwayHint(words, _instant(profile.get("status_expiration")))


def _foreign(user: Mapping[str, Any], home: Home) -> bool:
    """Of another workspace, unless that one is of the same organisation (Enterprise Grid)."""
    team = user.get("team_id")
    enterprise = (user.get("enterprise_user") or {}).get("enterprise_id")
    return bool(team) and team != home.team and not (home.enterprise and enterprise == home.enterprise)


def _instant(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if seconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
