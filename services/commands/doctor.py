"""`closeloop doctor`: looks at everything an installation needs, and says what to do."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import typer

from services.commands.terminal import FAILED, out, plain, run
from services.doctor.diagnosis import Diagnosis, Level, Patient, bad
from services.doctor.questions import QUESTIONS
from services.hosting.startup import Configuration, configure
from services.router.channels.slack import SlackChannel
from services.router.slack.client import SlackClient
from shared.errors import CloseloopError

_SIGNS = {Level.GOOD: "[green]ok[/]  ", Level.WARNING: "[yellow]warn[/]", Level.BAD: "[bold red]FAIL[/]"}
_TODO = {
    "database": "check CLOSELOOP_DATABASE__URL, and that the server runs",
    "event log": "check CLOSELOOP_BUS__URL, and that the broker runs",
}


def doctor() -> None:
    """Check database, event log, Slack, policy, people and domains. Status 1 when something fails."""
    if run(examine(configure())):
        raise typer.Exit(FAILED)


async def examine(configuration: Configuration, only: Collection[str] = ()) -> bool:
    """Whether something failed; `only` names the questions to ask, all without it."""
    failed = False
    async with _connected(configuration) as patient:
        for name, ask in QUESTIONS:
            if only and name not in only:
                continue
            async for found in _answers(name, ask(patient)):
                failed = failed or found.level is Level.BAD
                out.print(f"{_SIGNS[found.level]}  {name:14} {plain(found.words)}")
                if found.todo:
                    out.print(f"{'':20} -> {plain(found.todo)}")
    return failed


async def _answers(name: str, answers: AsyncIterator[Diagnosis]) -> AsyncIterator[Diagnosis]:
    try:
        async for found in answers:
            yield found
    except CloseloopError as error:
        yield bad(str(error), _TODO.get(name, ""))
    except Exception as error:
        # One question that cannot be asked must not keep the others from being answered.
        yield bad(f"could not be asked: {type(error).__name__}", _TODO.get(name, ""))


@asynccontextmanager
async def _connected(configuration: Configuration) -> AsyncIterator[Patient]:
    runtime = configuration.runtime(database=True)
    slack = SlackClient(configuration.settings.slack)
    channel = (
        SlackChannel(slack, configuration.policy.routing.slack_users)
        if configuration.settings.slack.bot_token is not None
        else None
    )
    assert runtime.database is not None
    with suppress(CloseloopError):
        # What keeps it from starting is said where the doctor asks for it.
        await runtime.bus.start()
    try:
        yield Patient(runtime, runtime.database, channel)
    finally:
        await slack.close()
        await runtime.bus.stop()
        await runtime.database.close()
