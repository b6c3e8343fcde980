"""Slack's mrkdwn as HTML: formatting, links, mentions, dates and emoji; everything else is escaped. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

TOKEN = re.compile(r"```(?P<block>.+?)```|`(?P<code>[^`\n]+)`|<(?P<control>[^<>\n]+)>", re.DOTALL)
HELD = re.compile(r"\x00(\d+)\x00")
STYLES = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^\n]+?)(?<=\S){mark}(?![\w{mark}])"), rf"<{tag}>\1</{tag}>")
    for mark, tag in ((r"\*", "strong"), ("_", "em"), ("~", "del"))
)
EMOJI_NAME = re.compile(r":([a-z0-9_+-]+):")
EMOJI = {
    "red_circle": "🔴", "large_orange_circle": "🟠", "large_yellow_circle": "🟡", "large_green_circle": "🟢",
    "large_blue_circle": "🔵", "white_circle": "⚪", "black_circle": "⚫", "white_check_mark": "✅",
    "heavy_check_mark": "✔️", "x": "❌", "warning": "⚠️", "rotating_light": "🚨", "bell": "🔔", "no_bell": "🔕",
    "zzz": "💤", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "alarm_clock": "⏰", "clock3": "🕒", "eyes": "👀",
    "speech_balloon": "💬", "telephone_receiver": "📞", "email": "📧", "calendar": "📅", "link": "🔗", "tada": "🎉",
    "arrow_up": "⬆️", "arrow_right": "➡️", "repeat": "🔁", "lock": "🔒", "star": "⭐", "fire": "🔥", "wave": "👋",
    "+1": "👍", "-1": "👎", "smile": "😄", "disappointed": "😞", "bust_in_silhouette": "👤", "ticket": "🎫",
    "pushpin": "📌", "memo": "📝", "mag": "🔍", "question": "❓", "exclamation": "❗", "office": "🏢", "moneybag": "💰",
}  # fmt: skip
DATE_FORMATS = {
    "date_num": "%Y-%m-%d", "date": "%-d %B %Y", "date_short": "%-d %b %Y", "date_long": "%A, %-d %B %Y",
    "date_pretty": "%-d %B %Y", "date_short_pretty": "%-d %b %Y", "date_long_pretty": "%A, %-d %B %Y",
    "time": "%H:%M", "time_secs": "%H:%M:%S", "ago": "%-d %b %H:%M",
}  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """For whom text is rendered: his time zone, and how user and channel ids are called."""

    tz: str
    user_name: Callable[[str], str]
    channel_name: Callable[[str], str]


def plain(text: str) -> Markup:
    """A plain_text object: emoji names are shown, nothing else is interpreted."""
    return Markup(EMOJI_NAME.sub(_emoji, str(escape(_decoded(text)))).replace("\n", "<br>"))  # noqa: S704 - escaped


def mrkdwn(text: str, reader: Reader) -> Markup:
    """A mrkdwn text as HTML; only http, https and mailto links become links."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(_token(match, reader))
        return f"\x00{len(held) - 1}\x00"

    html = str(escape(_decoded(TOKEN.sub(hold, text.replace("\x00", "")))))
    for style, replacement in STYLES:
        html = style.sub(replacement, html)
    html = _lines(EMOJI_NAME.sub(_emoji, html))
    return Markup(HELD.sub(lambda match: held[int(match[1])], html))  # noqa: S704 - every part was escaped above


def _decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _emoji(match: re.Match[str]) -> str:
    return EMOJI.get(match[1], match[0])


def _lines(html: str) -> str:
    """Lines that begin with `>` are quotes."""
    rows: list[str] = []
    for row in html.split("\n"):
        quoted = row.startswith("&gt;")
        rows.append(f'<span class="quote">{row[4:].lstrip()}</span>' if quoted else f"{row}<br>")
    return "".join(rows).removesuffix("<br>")


def _token(match: re.Match[str], reader: Reader) -> str:
    if match["block"] is not None:
        return f"<pre>{escape(_decoded(match['block'].strip()))}</pre>"
    if match["code"] is not None:
        return f"<code>{escape(_decoded(match['code']))}</code>"
    return _control(match["control"], reader)


def _control(control: str, reader: Reader) -> str:
    target, _, label = control.partition("|")
    if target.startswith("@"):
        return _mention("@" + reader.user_name(target[1:]))
    if target.startswith("#"):
        return _mention("#" + reader.channel_name(target[1:]))
    if target.startswith("!date^"):
        return _date(target, label, reader)
    if target.startswith("!"):
        return _mention("@" + (label or target[1:].split("^")[-1]), "broadcast")
    return _link(_decoded(target), _decoded(label) or _decoded(target))


def _mention(name: str, kind: str = "") -> str:
    return f'<span class="mention {kind}">{escape(name)}</span>'


def _date(target: str, fallback: str, reader: Reader) -> str:
    _, timestamp, form, *link = target.split("^")
    if not timestamp.isdigit():
        return str(escape(fallback))
    at = datetime.fromtimestamp(int(timestamp), ZoneInfo(reader.tz))
    for name, pattern in DATE_FORMATS.items():
        form = form.replace(f"{{{name}}}", at.strftime(pattern))
    if link:
        return _link(_decoded(link[0]), form)
    return f'<time datetime="{at.isoformat()}" title="{escape(fallback)}">{escape(form)}</time>'


def _link(url: str, label: str) -> str:
    if urlsplit(url).scheme not in ("http", "https", "mailto"):
        return str(escape(label))
    return f'<a href="{escape(url)}" target="_blank" rel="noreferrer noopener">{escape(label)}</a>'
