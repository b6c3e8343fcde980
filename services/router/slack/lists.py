"""Cases as a short list, for `/loops`. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime

from services.router.domain import cards
from services.router.domain.masking import masked
from services.router.domain.messages import Line, Person
from services.router.domain.redaction import redact, with_reveal
from services.router.domain.view import CaseView
from services.router.slack import mrkdwn
from services.router.slack.blocks import Rendered, render, section
from services.router.slack.mrkdwn import Mentions

_LINE = 260
HELP = (
    "`/loops` or `/loops mine`: your open cases\n"
    "`/loops team`: all open cases, the most urgent first\n"
    "`/loops L-…`: one case with its buttons\n"
    "`/loops away until Friday cover @ana`: your cases go to somebody else; `/loops back`: they come back\n"
    "`/loops help`: this"
)


def case_list(title: str, views: Sequence[CaseView], total: int, now: datetime, mentions: Mentions) -> Rendered:
    """The first few of `total` cases, in their order."""
    lines = [f"*{title}*" if views else f"*{title}*: none."]
    lines += [f"• {mrkdwn.line(_case(view, now), mentions, _LINE)}" for view in views]
    if total > len(views):
        lines.append(f"… and {total - len(views)} more")
    blocks = [section("\n".join(lines[start : start + 10])) for start in range(0, len(lines), 10)]
    return Rendered("\n".join(lines)[:3_000], blocks)


def one_case(
    view: CaseView, now: datetime, mentions: Mentions, case_url: str | None, hidden: Collection[str] = ()
) -> Rendered:
    card = cards.card(masked(redact(view, hidden)), "you asked for it", now, case_url)
    return render(with_reveal(card, hidden), "", mentions)


def _case(view: CaseView, now: datetime) -> Line:
    case = view.case
    headline = cards.headline(view, cards.newest_response(view))
    return (*headline, f" · {case.id} · {cards.clock_in_words(case, now)} · ", Person(case.owner))
