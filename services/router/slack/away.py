"""What somebody means by `/loops away until Friday cover @ana`, in their own time zone. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HELP = (
    "Write for example `/loops away until Friday cover @ana`, `/loops away for 3 days cover @ana because of a fair`, "
    "`/loops away from Monday until 2026-12-01 cover ana@example.com`; `/loops back` ends it."
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_LONGEST = 366 * 3
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_EMAIL = re.compile(r"(?:<mailto:)?([^\s<>|@]+@[^\s<>|@]+)(?:\|[^>]*>|>)?")
_PARTS = re.compile(r"\b(from|until|till|through|for|cover|covered by|covers|because(?: of)?)\b", re.IGNORECASE)


class NotUnderstood(ValueError):
    """The text cannot be read; the message says what to write, for the person."""


@dataclass(frozen=True, slots=True)
class Away:
    """`ends_at` is the midnight after the last day, None: until they are back. The cover is a Slack user id or an
    e-mail, or nobody."""

    starts_at: datetime
    ends_at: datetime | None
    cover_user: str | None
    cover_email: str | None
    reason: str


def parse_away(text: str, now: datetime, timezone: str | None) -> Away:
    """`text` is what follows `away`. A day named after `until` is the last day away. Raises NotUnderstood."""
    parts = _split(text)
    zone = zone_of(timezone)
    today = now.astimezone(zone).date()
    first = _day(parts["from"], today, today) if "from" in parts else today
    starts_at = _midnight(first, zone) if first > today else now
    if first < today:
        raise NotUnderstood(f"{first.isoformat()} is over already.")
    if "until" in parts and "for" in parts:
        raise NotUnderstood(f"Say either until when or for how long. {HELP}")
    ends_at = None
    if "for" in parts:
        ends_at = _after(parts["for"], first, starts_at, zone)
    elif "until" in parts:
        # "from Monday until Monday" is one day; "until Friday", said on a Friday, is a week.
        earliest = first if "from" in parts else today + timedelta(days=1)
        ends_at = _midnight(_day(parts["until"], earliest, today) + timedelta(days=1), zone)
    if ends_at is not None and ends_at <= starts_at:
        raise NotUnderstood("That ends before it begins.")
    if ends_at is not None and ends_at - now > timedelta(days=_LONGEST):
        raise NotUnderstood("That is more than three years ahead.")
    user, email = _person(parts.get("cover"))
    return Away(starts_at, ends_at, user, email, parts.get("because", ""))


def zone_of(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _split(text: str) -> dict[str, str]:
    """The words after each keyword; the reason is whatever stands after "because"."""
    text, because, reason = _cut(text, re.search(r"\bbecause(?: of)?\b", text, re.IGNORECASE))
    pieces = _PARTS.split(text)
    if pieces[0].strip(" ,"):
        raise NotUnderstood(f"{pieces[0].strip()!r} is not understood. {HELP}")
    names = {"till": "until", "through": "until", "covers": "cover", "covered by": "cover"}
    found: dict[str, str] = {"because": reason.strip()[:500]} if because else {}
    for name, value in zip(pieces[1::2], pieces[2::2], strict=True):
        key = names.get(name.lower(), name.lower())
        if key in found or not value.strip(" ,."):
            raise NotUnderstood(f"What comes after {name!r} is not understood. {HELP}")
        found[key] = value.strip(" ,.")
    return found


def _cut(text: str, at: re.Match[str] | None) -> tuple[str, bool, str]:
    return (text, False, "") if at is None else (text[: at.start()], True, text[at.end() :])


def _day(text: str, earliest: date, today: date) -> date:
    """The day that is meant; a weekday is the first such one from `earliest` on."""
    words = text.lower().removeprefix("the end of ").removeprefix("end of ").split()
    if words in (["today"], ["tonight"]):
        return today
    if words == ["tomorrow"]:
        return today + timedelta(days=1)
    weekday = _weekday(words[-1])
    if len(words) == 1 and weekday is not None:
        return earliest + timedelta(days=(weekday - earliest.weekday()) % 7)
    if len(words) == 2 and words[0] == "next" and weekday is not None:
        next_monday = today + timedelta(days=7 - today.weekday())
        return next_monday + timedelta(days=weekday)
    found = _date(words, today)
    if found is None:
        raise NotUnderstood(
            f"{text!r} is no day I know: write a weekday, tomorrow, 2026-12-01 or 1 Dec. "
            "A date such as 1/12 could be read two ways."
        )
    return found


def _weekday(word: str) -> int | None:
    return next((number for number, day in enumerate(_DAYS) if len(word) >= 3 and day.startswith(word)), None)


def _date(words: list[str], today: date) -> date | None:
    """ISO, or day and month in words with or without the year: then the next such day."""
    try:
        if len(words) == 1:
            return date.fromisoformat(words[0])
        numbers = [int(re.sub(r"(st|nd|rd|th|\.|,)+$", "", word)) for word in words if word[0].isdigit()]
        months = [_MONTHS.index(word[:3]) + 1 for word in words if word[:3] in _MONTHS]
        if len(months) != 1 or len(numbers) not in (1, 2) or len(numbers) + 1 != len(words):
            return None
        if len(numbers) == 2:
            return date(numbers[1], months[0], numbers[0])
        this_year = date(today.year, months[0], numbers[0])
        return this_year if this_year >= today else this_year.replace(year=today.year + 1)
    except (ValueError, OverflowError):
        return None


def _after(text: str, first: date, starts_at: datetime, zone: tzinfo) -> datetime:
    """The end of a span such as `3 days`: the first day counts."""
    match = re.fullmatch(r"(?:the )?(?:next )?(\d{1,4}|[a-z]+) (hour|day|week|month)s?", text.lower())
    number = _number(match[1]) if match else None
    if match is None or not number:
        raise NotUnderstood(f"{text!r} is no span I know: write for example 3 days or 2 weeks.")
    if match[2] == "hour":
        return starts_at + timedelta(hours=number)
    days = number * {"day": 1, "week": 7, "month": 30}[match[2]]
    if days > _LONGEST:
        raise NotUnderstood("That is more than three years ahead.")
    return _midnight(first + timedelta(days=days), zone)


def _number(word: str) -> int | None:
    return int(word) if word.isdigit() else _NUMBERS.get(word)


def _person(text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    if match := _MENTION.fullmatch(text):
        return match[1], None
    if match := _EMAIL.fullmatch(text):
        return None, match[1].lower()
    raise NotUnderstood(
        f"I cannot tell who {text!r} is: choose the person from the list Slack offers after @, or write their e-mail."
    )


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
