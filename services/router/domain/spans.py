"""Spans and dates as people say them."""

from datetime import date, datetime, timedelta


def in_words(span: timedelta) -> str:
    """`3 h 40 m`, `2 d 4 h`, `5 m`; under a minute `less than a minute`. The sign is dropped."""
    minutes = int(abs(span).total_seconds() // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} m" if minutes else f"{hours} h"
    return f"{minutes} m" if minutes else "less than a minute"


def due_in_words(due_at: datetime, now: datetime) -> str:
    """`Due in 3 h 40 m` or `Overdue by 2 h`."""
    left = due_at - now
    return f"Due in {in_words(left)}" if left > timedelta(0) else f"Overdue by {in_words(left)}"


def day(value: date) -> str:
    """`Fri 3 Jan 2025`."""
    return f"{value:%a} {value.day} {value:%b %Y}"


def utc_minute(at: datetime) -> str:
    """`2025-01-03 15:00 UTC`; `at` is UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
