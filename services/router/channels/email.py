"""E-mail as a channel: one plain message over SMTP, for alerts that Slack cannot bring."""

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from services.router.channels.base import (
    Channel,
    Gone,
    NotSent,
    Outcome,
    Parked,
    Post,
    RateLimited,
    Reachable,
    Sent,
    Shelf,
    Unknown,
    Unreachable,
)
from services.router.domain.messages import Message
from services.router.domain.notices import plain
from shared.clock import Clock
from shared.settings import SmtpSettings

_TIMEOUT_SECONDS = 20
_SUBJECT = 150
_IMPLICIT_TLS_PORT = 465


class EmailChannel(Channel):
    """`settings.host` must be set. A message sent cannot be changed or looked for."""

    name = "email"

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def person(self, email: str) -> Reachable | Unreachable | NotSent | RateLimited:
        return Reachable(email, email, email) if "@" in email else Unreachable(email, "is no e-mail address")

    async def group(self, users: tuple[str, ...]) -> str | NotSent | RateLimited | Unreachable:
        return ", ".join(users)

    async def send(self, post: Post) -> Outcome:
        """The Message-ID is the same for every attempt, so that a mailbox can know a repeat."""
        document = self._document(post)
        client = self._client()
        try:
            async with client:
                await client.send_message(document)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPResponseException) as no:
            return _refused(no)
        except (aiosmtplib.SMTPConnectError, ConnectionError) as error:
            return NotSent(type(error).__name__)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Unknown(type(error).__name__)
        return Sent(post.place, str(document["Message-ID"]))

    async def update(self, post: Post, ts: str) -> Outcome:
        return Gone("an e-mail cannot be changed", removed=False)

    async def look(self, notice_id: str, place: str, thread: str | None, since: datetime) -> Sent | Outcome | None:
        return None

    async def standing(self, place: str, thread: str | None, since: datetime, cursor: str = "") -> Shelf | Outcome:
        return Shelf(())

    async def remove(self, place: str, ts: str) -> Outcome:
        return Gone("an e-mail cannot be taken back", removed=False)

    async def alive(self) -> str | None:
        try:
            async with self._client() as client:
                await client.noop()
        except (aiosmtplib.SMTPException, OSError) as error:
            return type(error).__name__
        return None

    def _client(self) -> aiosmtplib.SMTP:
        chosen = self._settings
        implicit = chosen.port == _IMPLICIT_TLS_PORT
        return aiosmtplib.SMTP(
            hostname=chosen.host,
            port=chosen.port,
            username=chosen.username,
            password=chosen.password.get_secret_value() if chosen.password else None,
            use_tls=implicit,
            start_tls=chosen.starttls and not implicit,
            timeout=_TIMEOUT_SECONDS,
        )

    def _document(self, post: Post) -> EmailMessage:
        domain = self._settings.sender.rpartition("@")[2].strip("> ") or "localhost"
        document = EmailMessage()
        document["From"] = self._settings.sender
        document["To"] = post.place
        document["Subject"] = " ".join(post.message.text.split())[:_SUBJECT]
        document["Date"] = format_datetime(self._clock.now())
        document["Message-ID"] = f"<closeloop-{post.notice_id}@{domain}>"
        document["Auto-Submitted"] = "auto-generated"
        document.set_content(body_of(post.message))
        return document


def body_of(message: Message) -> str:
    """All of the message as plain text; what only a click could do is left out."""
    parts = [plain(message.headline)]
    if message.quote is not None and message.quote.text.strip():
        parts.append("\n".join(f"> {line}" for line in message.quote.text.splitlines()))
        parts += [f"All of it: {message.quote.more}"] if message.quote.cut and message.quote.more else []
    parts += [plain(line) for line in message.lines]
    parts.append("\n".join(f"{field.label}: {plain(field.value)}" for field in message.fields))
    parts.append("\n".join(plain(line) for line in message.context))
    text = "\n\n".join(part for part in parts if part.strip())
    return text.encode("utf-8", "replace").decode() + "\n"


def _refused(error: Exception) -> Outcome:
    """4xx may pass, 5xx will not."""
    code = getattr(error, "code", None)
    refused = getattr(error, "recipients", None)
    if code is None and refused:
        code = refused[0].code
    if isinstance(code, int) and 500 <= code < 600:
        return Parked(f"the mail server refuses it ({code})")
    return NotSent(f"the mail server does not take it now ({code})")
