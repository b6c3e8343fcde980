"""The questions of `closeloop doctor`. A new one is one function and one line in QUESTIONS."""

from migrations import schema
from services.commands.policy import unknown_options
from services.doctor import mail, slack
from services.doctor.diagnosis import Answers, Ask, Patient, bad, good, warning
from services.doctor.reachability import ask_reachability
from services.hosting.startup import warnings
from services.ingest.sources import sources_of
from services.router.audit import invariants
from services.router.calendars import build_calendars
from services.router.store import accounts, directory
from shared.bus import dead_letters

_PAGE = 500


async def ask_settings(patient: Patient) -> Answers:
    settings = patient.runtime.settings
    for words in warnings(settings, settings.http.host):
        yield warning(words, "see docs/operations.md")
    names = sources_of(patient.runtime.policy.sources)
    on = [name for name in names if name in settings.sources and settings.sources[name].secrets()]
    if on:
        yield good(f"sources switched on: {', '.join(on)}")
    else:
        yield warning("no source is switched on", "set CLOSELOOP_SOURCES__<SOURCE>__SECRET, for example ZENDESK")


async def ask_policy(patient: Patient) -> Answers:
    policy = patient.runtime.policy
    build_calendars(policy)
    for words in unknown_options(policy):
        yield warning(words, "check its spelling")
    yield good(f"version {policy.version}")


async def ask_database(patient: Patient) -> Answers:
    await patient.database.ping()
    await schema.require_newest(patient.database)
    yield good(f"{patient.database.url.get_backend_name()} answers, at revision {schema.newest()}")


async def ask_bus(patient: Patient) -> Answers:
    await patient.runtime.bus.ping()
    yield good("answers")


async def ask_dead_letters(patient: Patient) -> Answers:
    waiting = [letter for letter in await dead_letters.list_dead(patient.runtime.bus) if letter.replayed_at is None]
    if waiting:
        yield warning(f"{len(waiting)} messages could not be handled", "closeloop dead-letters list")
    else:
        yield good("none")


async def ask_owners(patient: Patient) -> Answers:
    ownerless = 0
    async with patient.database.read() as connection:
        last = ""
        while page := await accounts.list_accounts(connection, _PAGE, last):
            ownerless += sum(account.csm is None for account in page)
            last = page[-1].id
    if ownerless:
        yield warning(f"{ownerless} accounts have no CSM: their cases go to the fallback owner", "set `csm` in the CSV")
    else:
        yield good("every account has a CSM")


async def ask_domains(patient: Patient) -> Answers:
    async with patient.database.read() as connection:
        disputed = await directory.disputed_domains(connection)
    for domain, claimed_by in sorted(disputed.items()):
        yield bad(
            f"{domain} is claimed by {', '.join(claimed_by)}", "leave it with one: until then nobody's CSM is told"
        )
    if not disputed:
        yield good("no domain is claimed twice")


async def ask_invariants(patient: Patient) -> Answers:
    question = invariants.Question(patient.runtime.clock.now(), patient.runtime.policy)
    async with patient.database.read() as connection:
        findings = await invariants.check(connection, question)
    for finding in findings:
        if not finding.holds:
            yield bad(f"not so: {finding.words} ({', '.join(finding.broken_by[:3])})", "closeloop audit verify")
    if all(finding.holds for finding in findings):
        yield good("all hold")


QUESTIONS: tuple[tuple[str, Ask], ...] = (
    ("settings", ask_settings),
    ("policy", ask_policy),
    ("database", ask_database),
    ("event log", ask_bus),
    ("dead letters", ask_dead_letters),
    ("Slack", slack.ask_slack),
    ("Slack buttons", slack.ask_buttons),
    ("people", slack.ask_people),
    ("clock", slack.ask_clock),
    ("reachable", ask_reachability),
    ("e-mail", mail.ask_mail),
    ("owners", ask_owners),
    ("domains", ask_domains),
    ("invariants", ask_invariants),
)
