"""Flagged answers that keep coming, and the reckoning afterwards: what was answered 202 is there once, seen once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import httpx

from services.router import tables
from tests.support.deployment import Deployment
from tests.support.slack_people import REPEAT, Post
from tests.support.waiting import eventually

PATIENCE = 90.0


class Flow:
    """Customers of `accounts` who answer in turn, and a helpdesk that sends again until it is answered 202."""

    def __init__(self, closeloop: Deployment, accounts: list[str]) -> None:
        self.accepted: list[str] = []
        self.sent_again = 0
        self.answers: Counter[str] = Counter()
        self._closeloop = closeloop
        self._accounts = accounts
        self._next = 0
        self._senders: list[threading.Thread] = []

    def begins(self, count: int, every: float = 0.0) -> None:
        """Send the next `count` answers, so many seconds apart, beside whatever the test does."""
        numbers = range(self._next, self._next + count)
        self._next += count
        sender = threading.Thread(target=lambda: [self._send(number, every) for number in numbers], daemon=True)
        sender.start()
        self._senders.append(sender)

    def ends(self) -> None:
        """Return when everything begun was answered 202."""
        for sender in self._senders:
            sender.join(PATIENCE)
        assert len(self.accepted) == self._next, f"{len(self.accepted)} of {self._next} were taken: {self.answers}"

    def _send(self, number: int, pause: float) -> None:
        time.sleep(pause)
        account = self._accounts[number % len(self._accounts)]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._taken(f"{number}", f"customer-{number}@{account}.example"):
                self.accepted.append(f"{number}")
                return
            self.sent_again += 1
            time.sleep(0.1)  # as a helpdesk waits before it tries again

    def _taken(self, ticket: str, email: str) -> bool:
        try:
            answer = self._closeloop.zendesk.tells_of(ticket, email, delivery=f"delivery-{ticket}")
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status_code)] += 1
        return answer.status_code == 202


@dataclass
class Reckoning:
    """What the rows, the API and Slack say when everything has settled. `repeats` are marked as such for people."""

    cases: int
    responses: int
    notices: int
    repeats: int
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.responses} responses, {self.notices} notices,"
            f" {self.repeats} marked {REPEAT}; wrong: {self.wrong or 'nothing'}"
        )


def reckon(closeloop: Deployment, flow: Flow, within: float = PATIENCE) -> Reckoning:
    """Wait until nothing is under way any more, then count. AssertionError when nothing has moved for `within` s."""
    flow.ends()
    _while_it_moves(lambda: _missing(closeloop, flow), within, "responses not in a case")
    _while_it_moves(lambda: _unsent(closeloop), within, "notices not sent")
    cases = closeloop.cases()
    posts = closeloop.slack.all_posts()
    reckoning = Reckoning(
        cases=len(cases),
        responses=sum(len(case["responses"]) for case in cases),
        notices=len(closeloop.rows(tables.notices)),
        repeats=sum(REPEAT in post.said for post in posts),
    )
    reckoning.wrong += _about_rows(closeloop, flow, cases)
    reckoning.wrong += _about_notices(closeloop, posts)
    reckoning.wrong += _about_cards(cases, posts, closeloop)
    for case in cases:
        closeloop.journal(case["id"])
    verified = closeloop.command("audit", "verify")
    if verified.returncode:
        reckoning.wrong.append(verified.stdout + verified.stderr)
    return reckoning


def _while_it_moves(left: Callable[[], Collection[object]], within: float, what: str) -> None:
    """Return when nothing is left. How fast a machine gets there is not the question here."""
    while before := left():
        eventually(lambda before=before: left() != before, within, f"{what}: {before}", every=0.2)


def _missing(closeloop: Deployment, flow: Flow) -> set[str]:
    return set(flow.accepted) - {row["ticket_id"] for row in closeloop.rows(tables.responses) if row["case_id"]}


def _unsent(closeloop: Deployment) -> Counter[str]:
    return Counter(row["state"] for row in closeloop.rows(tables.notices) if row["state"] != "sent")


def _about_rows(closeloop: Deployment, flow: Flow, cases: list[dict]) -> list[str]:
    rows = Counter(row["ticket_id"] for row in closeloop.rows(tables.responses))
    shown = Counter(response["ticket_id"] for case in cases for response in case["responses"])
    wrong = [f"ticket {ticket}: {rows[ticket]} rows" for ticket in flow.accepted if rows[ticket] != 1]
    wrong += [f"ticket {ticket}: in {shown[ticket]} cases" for ticket in flow.accepted if shown[ticket] != 1]
    per_account = Counter(case["account_id"] for case in cases)
    return wrong + [f"{account}: {count} open cases" for account, count in per_account.items() if count != 1]


def _about_notices(closeloop: Deployment, posts: list[Post]) -> list[str]:
    wrong = []
    for row in closeloop.rows(tables.notices):
        seen = [post for post in posts if post.notice == row["id"]]
        unmarked = [post for post in seen if REPEAT not in post.said]
        if not seen or len(unmarked) > 1:
            wrong.append(f"{row['kind']} of {row['case_id']} to {row['recipient']}: seen {len(seen)} times")
    known = {row["id"] for row in closeloop.rows(tables.notices)}
    return wrong + [f"nobody's notice: {post.text}" for post in posts if post.notice not in known]


def _about_cards(cases: list[dict], posts: list[Post], closeloop: Deployment) -> list[str]:
    wrong = []
    for case in cases:
        for person in {case["owner"], case["support_lead"]}:
            mine = {post.ts for post in closeloop.slack.inbox(person)}
            roots = [post for post in posts if post.ts in mine and not post.is_reply and case["id"] in post.said]
            unmarked = [post for post in roots if REPEAT not in post.said]
            if len(unmarked) > 1 or not roots:
                wrong.append(f"{case['id']}: {len(roots)} cards for {person}")
    return wrong
