"""Parts of a line to Slack's mrkdwn. Customer text is data: `& < >` are escaped, so that no mention, link or date
survives (G11). Pure.

Source: https://docs.slack.dev/messaging/formatting-message-text (escaping, dates, mentions).
"""

import re
from collections.abc import Mapping

from services.router.domain import spans
from services.router.domain.messages import Instant, Line, Link, Part, Person, Strong

ELLIPSIS = "…"
URL_LIMIT = 250
# Slack shows none of these, and a lone surrogate cannot be sent at all. Bidirectional overrides could turn the rest
# of the card around.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_URL = re.compile(r"https?://[^\s<>|\"'`\\^{}\x00-\x20\x7f]+")
_SPACES = re.compile(r"\s+")
_HALF_ENTITY = re.compile(r"&[a-z]{0,3}$")

Mentions = Mapping[str, str]  # e-mail -> Slack user id


def clean(text: str) -> str:
    return _UNSHOWABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def escape(text: str) -> str:
    """The three characters Slack gives a meaning, and only those."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(escaped: str, limit: int) -> str:
    """At most `limit` characters, never half an entity."""
    if len(escaped) <= limit:
        return escaped
    return _HALF_ENTITY.sub("", escaped[: max(0, limit - 1)]) + ELLIPSIS


def line(parts: Line, mentions: Mentions, limit: int) -> str:
    """One line of at most `limit` characters; a mention, date or link that no longer fits is left out whole."""
    done = ""
    for part in parts:
        left = limit - len(done)
        text = _part(part, mentions, left)
        if len(text) > left:
            break
        done += text
    return done


def _part(part: Part, mentions: Mentions, left: int) -> str:
    match part:
        case Person(email):
            return f"<@{mentions[email]}>" if email in mentions else cut(_one_line(email), left)
        case Instant(at):
            return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{spans.utc_minute(at)}>"
        case Link(text, url):
            return _link(text, url, left)
        case Strong(text):
            # A star inside would end the bold early; one outside words is shown as it is.
            return f"*{cut(_one_line(text).replace('*', '∗'), left - 2)}*" if left > 3 else ""
        case _:
            # The spaces around belong to the line: " · " parts what stands before and after it.
            return cut(escape(_SPACES.sub(" ", part)), left)


def _one_line(text: str) -> str:
    return escape(" ".join(text.split()))


def _link(text: str, url: str | None, left: int) -> str:
    address = safe_url(url)
    shown = _one_line(text) or "link"
    room = left - len(address) - 3
    if not address or room < 8:
        return cut(shown, left)
    return f"<{address}|{cut(shown.replace('|', '¦'), room)}>"


def safe_url(url: str | None) -> str:
    """The address escaped for a link, or an empty string for what is no plain short web address."""
    if not url or len(url) > URL_LIMIT or not _URL.fullmatch(url):
        return ""
    return url.replace("&", "&amp;")


def quoted(text: str, limit: int, most_lines: int) -> str:
    """Customer text as a block quote."""
    lines = [piece.strip() for piece in clean(text).split("\n")]
    kept = [piece for piece in lines if piece][:most_lines]
    return "\n".join(f">{piece}" for piece in cut(escape("\n".join(kept)), limit - len(kept)).split("\n"))
