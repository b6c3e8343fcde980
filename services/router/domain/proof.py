"""What a touch rests on: claimed by its author, evidenced by the helpdesk, or confirmed by the customer. Pure."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from services.router.domain import commands
from services.router.domain.arrivals import SYSTEM
from services.router.domain.case import Case, Proof, Reply, Status, TouchClock
from services.router.domain.clocks import opened_again_at
from services.router.domain.decision import Context, Decision, Entry
from services.router.domain.words import iso

_GOOD_FROM = {"csat": 4, "nps": 9, "ces": 5}


def is_good(metric: str, normalised_score: float | None) -> bool:
    """CSAT 4 and 5, NPS promoters (9 and 10), CES from 5: what a customer says who is well again."""
    least = _GOOD_FROM.get(metric)
    return least is not None and normalised_score is not None and normalised_score >= least


def note_reply(case: Case, command: commands.NoteReply, ctx: Context) -> Decision:
    """One that comes before the touch is logged is found again when it is (Context.reply)."""
    if case.ended:
        return Decision(case)
    changed, entries = evidenced(case, command.reply)
    return Decision(changed, entries)


def evidenced(case: Case, reply: Reply | None) -> tuple[Case, tuple[Entry, ...]]:
    """Touches of a flag that came before the reply, so far only claimed, are evidenced by it."""
    if reply is None:
        return case, ()
    data = {"replied_at": iso(reply.at), "replied_by": reply.by, "source": reply.source}
    return _raise(
        case, Proof.EVIDENCED, lambda clock: clock.started_at <= reply.at, Entry("touch_evidenced", SYSTEM, data)
    )


def agreed(case: Case) -> tuple[Case, tuple[Entry, ...]]:
    """The customer agrees at the close-out: confirms the touches since the case was last open again, no earlier ones,
    of which the customer has said that they did not do."""
    since = opened_again_at(case)
    return _raise(
        case,
        Proof.CONFIRMED,
        lambda clock: since is None or (clock.touched_at or clock.started_at) >= since,
        Entry("touch_confirmed", SYSTEM, {"by": "close_out"}),
    )


def note_good_rating(case: Case, command: commands.NoteGoodRating, ctx: Context) -> Decision:
    """Confirms what was touched before it, for the person's own responses and for reopenings."""
    if case.status is Status.DISMISSED or case.merged_into:
        return Decision(case)

    def concerns(clock: TouchClock) -> bool:
        own = clock.response_id is None or clock.response_id in command.of
        return own and clock.touched_at is not None and clock.touched_at < command.rated_at

    data = {"by": "rating", "response_id": command.response_id, "rated_at": iso(command.rated_at)}
    changed, entries = _raise(case, Proof.CONFIRMED, concerns, Entry("touch_confirmed", command.actor, data))
    return Decision(changed, entries)


def _raise(
    case: Case, to: Proof, concerns: Callable[[TouchClock], bool], entry: Entry
) -> tuple[Case, tuple[Entry, ...]]:
    raised = {
        clock.id
        for clock in case.clocks
        if clock.touched_at is not None and (clock.proof or Proof.CLAIMED).rank < to.rank and concerns(clock)
    }
    if not raised:
        return case, ()
    clocks = tuple(replace(clock, proof=to) if clock.id in raised else clock for clock in case.clocks)
    data: dict[str, Any] = {**entry.data, "clocks": sorted(raised)}
    return replace(case, clocks=clocks), (replace(entry, data=data),)
