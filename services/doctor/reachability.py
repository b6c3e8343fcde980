"""The doctor's question about people: does everybody to whom a case may come have a live account in Slack?"""

from services.doctor.diagnosis import Answers, Patient, bad, good, warning
from services.router.channels.base import Channel, Reachable, Unreachable
from services.router.delivery.addressing import to_person
from services.router.preflight import KNOWN_FOR, Report, stored_report
from services.router.store import duties, people
from services.router.store.duties import Duties

_SHOWN = 10
_ACCOUNTS_SHOWN = 5
_ASKED_NOW = 20
"""Slack allows some fifty look-ups a minute; the rest is known from the nightly check, or is said to be unknown."""
_TODO = "name somebody else or a cover, map them in [routing.slack_users], or let them join the workspace"


async def ask_reachability(patient: Patient) -> Answers:
    runtime = patient.runtime
    now = runtime.clock.now()
    async with patient.database.read() as connection:
        needed = await duties.duties(connection, runtime.policy.routing, now)
        known = await people.find(connection, sorted(needed))
    fresh = {email for email, person in known.items() if person.checked_at >= now - KNOWN_FOR}
    if patient.channel is not None:
        answers = await _ask(patient.channel, sorted(needed.keys() - fresh)[:_ASKED_NOW])
        known |= {answer.email: to_person(answer, now) for answer in answers}
    report = stored_report(needed, known, now - KNOWN_FOR)
    for item in report.unreached[:_SHOWN]:
        names = ", ".join(item.duty.accounts[:_ACCOUNTS_SHOWN])
        yield bad(f"{item.duty.email} {item.why}: {item.for_what}{f' ({names})' if names else ''}", _TODO)
    if len(report.unreached) > _SHOWN:
        yield bad(f"and {len(report.unreached) - _SHOWN} more cannot be reached", "see GET /v1/people/unreachable")
    if report.unchecked:
        yield warning(_unknown(report, needed), "the nightly check of a running router asks Slack about everybody")
    elif not report.unreached:
        yield good(f"all {report.checked} people a case may come to are reachable")


def _unknown(report: Report, needed: dict[str, Duties]) -> str:
    names = ", ".join(report.unchecked[:3])
    return f"{len(report.unchecked)} of {len(needed)} people were not looked up in Slack yet: {names} ..."


async def _ask(channel: Channel, emails: list[str]) -> list[Reachable | Unreachable]:
    """Stops at the first that cannot be asked: Slack is not there, or wants a pause."""
    answers: list[Reachable | Unreachable] = []
    for email in emails:
        answer = await channel.person(email)
        if not isinstance(answer, Reachable | Unreachable):
            break
        answers.append(answer)
    return answers
