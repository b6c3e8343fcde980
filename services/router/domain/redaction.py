"""What a place may show of a case, by policy; who may ask for the rest, and what they are told then. Pure."""

from collections.abc import Collection
from dataclasses import replace

from services.router.domain.cards import contact
from services.router.domain.case import Case
from services.router.domain.masking import masked
from services.router.domain.messages import Action, ActionId, Message
from services.router.domain.view import AccountView, CaseView, ResponseView
from shared.policy import PrivacyPolicy, RoutingPolicy

COMMENT, RESPONDENT, ARR = "comment", "respondent", "arr"
EVERYTHING = frozenset({COMMENT, RESPONDENT, ARR})
HIDDEN_COMMENT = "(hidden in this channel)"
_HIDDEN_NAME = "hidden here"
_REVEAL = Action(ActionId.REVEAL, "Reveal")
_MOST_SHOWN, _MOST_TEXT = 5, 2_600
# Entries whose words come from what the customer said.
_CUSTOMERS_WORDS = frozenset({"opened", "response_joined", "response_revised"})


def hidden_in(place: str, privacy: PrivacyPolicy, routing: RoutingPolicy) -> frozenset[str]:
    """What is hidden where `place` is a Slack id: its own [[privacy.profile]], else the one for direct (and group)
    messages or for channels."""
    own = next((profile for profile in privacy.profile if profile.channel == place), None)
    if own is not None:
        return frozenset(own.hide)
    pilot = routing.pilot is not None and place == routing.pilot.removeprefix("channel:")
    direct = place.startswith("D") or (routing.delivery == "group_dm" and not pilot)
    return frozenset(privacy.dm if direct else privacy.default_channel)


def redact(view: CaseView, hidden: Collection[str]) -> CaseView:
    """The case as such a place may know it. People who answered stay distinct, but nobody can tell who they are."""
    if COMMENT in hidden:
        last = view.last_entry
        if last is not None and last.type in _CUSTOMERS_WORDS:
            last = replace(last, data={key: value for key, value in last.data.items() if key != "words"})
        view = replace(view, responses=tuple(_without_comment(item) for item in view.responses), last_entry=last)
    if RESPONDENT in hidden:
        view = replace(view, responses=_nameless(view.responses))
    if ARR in hidden and view.account is not None:
        view = replace(view, account=replace(view.account, arr=None))
    return view


def with_reveal(message: Message, hidden: Collection[str]) -> Message:
    """With the button to ask for the rest, where a message has a customer's answer to show."""
    if not hidden or message.quote is None:
        return message
    return replace(message, buttons=(*message.buttons, _REVEAL))


def may_reveal(
    person: str, case: Case, account: AccountView | None, privacy: PrivacyPolicy, routing: RoutingPolicy
) -> bool:
    """The owner, whom they cover for, both leads, the account's people, the fallback owner, and `may_reveal`."""
    own = {case.owner, case.covers_for, case.support_lead, routing.support_lead, routing.fallback_owner}
    accounts = {account.csm, account.csm_manager, account.support_lead} if account is not None else set()
    return person in own | accounts | set(privacy.may_reveal)


def in_words(view: CaseView, hidden: Collection[str]) -> str:
    """What was hidden, for the eyes of one person; card numbers and the like stay masked."""
    seen = masked(view)
    lines = [f"{seen.case.account_name}, {seen.case.id}. Only you see this; that you looked is in the journal."]
    account = seen.account
    if ARR in hidden and account is not None and account.arr is not None:
        lines.append(f"ARR: {account.currency or ''} {account.arr:,.0f}")
    room = _MOST_TEXT // max(1, min(len(seen.responses), _MOST_SHOWN))
    lines += [_answer(response, hidden, room) for response in seen.responses[:_MOST_SHOWN]]
    if len(seen.responses) > _MOST_SHOWN:
        lines.append(f"and {len(seen.responses) - _MOST_SHOWN} more: see the case's page")
    return "\n".join(line for line in lines if line)


def _answer(response: ResponseView, hidden: Collection[str], room: int) -> str:
    email = f" <{response.requester_email}>" if response.requester_email and response.requester_name else ""
    who = f"{contact(response)}{email}" if RESPONDENT in hidden else ""
    comment = (response.comment or "No comment.") if COMMENT in hidden else ""
    said = f"“{comment[:room]}{'…' if len(comment) > room else ''}”" if comment else ""
    return ": ".join(part for part in (who, said) if part)


def _without_comment(response: ResponseView) -> ResponseView:
    return replace(response, comment=HIDDEN_COMMENT if response.comment else None, subject=None)


def _nameless(responses: tuple[ResponseView, ...]) -> tuple[ResponseView, ...]:
    numbers: dict[str, int] = {}
    for response in responses:
        numbers.setdefault(_person(response), len(numbers) + 1)
    return tuple(
        replace(item, requester_name=_HIDDEN_NAME, requester_email=f"person {numbers[_person(item)]}")
        for item in responses
    )


def _person(response: ResponseView) -> str:
    return response.requester_email or response.requester_name or response.id
