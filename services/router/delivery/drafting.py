"""A notice, its case and its destination, put into what a channel sends."""

from dataclasses import dataclass, replace

from services.router.channels.base import Post
from services.router.delivery.addressing import AddressBook, Destination
from services.router.domain.cards import page_of
from services.router.domain.decision import NoticeKind
from services.router.domain.messages import Line, Message
from services.router.domain.notices import Notice, compose
from services.router.domain.redaction import hidden_in, redact, with_reveal
from services.router.domain.view import CaseView
from services.router.store.notices import Row
from shared.clock import Clock
from shared.policy import Policy

_REPEAT: Line = ("(possible repeat)",)


@dataclass(frozen=True, slots=True)
class Drafts:
    """`case_base` is the console's address, under which a case has its page; None: no links."""

    book: AddressBook
    clock: Clock
    policy: Policy
    case_base: str | None

    def post(self, row: Row, view: CaseView, destination: Destination, thread: str | None) -> Post:
        """The newest state of it, for the people who are to see it."""
        message = self._message(row, view, destination)
        named = (row.recipient, view.case.owner, view.case.support_lead, *message.mention)
        mentions = self.book.mentions(named) if destination.mention else {}
        return Post(row.id, destination.place, message, mentions, thread, again=row.sent_at is not None)

    def _message(self, row: Row, view: CaseView, destination: Destination) -> Message:
        url = page_of(self.case_base, row.case_id)
        notice = Notice(NoticeKind(row.kind), row.recipient, row.role, row.data)
        hidden = hidden_in(destination.place, self.policy.privacy, self.policy.routing)
        message = with_reveal(compose(notice, redact(view, hidden), self.clock.now(), url), hidden)
        marks = (destination.note, _REPEAT if row.repeat else ())
        context = (*message.context, *(mark for mark in marks if mark))
        called = (*message.mention, row.recipient) if destination.shared else message.mention
        text = f"{message.text} (possible repeat)" if row.repeat else message.text
        return replace(message, context=context, mention=tuple(dict.fromkeys(called)), text=text)
