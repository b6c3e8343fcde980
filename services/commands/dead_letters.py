"""`closeloop dead-letters`: what could not be handled, why, and handling it again once the cause is gone."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from services.commands.session import open_bus
from services.commands.terminal import complain, out, plain, run
from services.hosting.startup import configure
from services.ingest.dead_letters import replay_webhook
from shared.bus import dead_letters
from shared.bus.base import Bus
from shared.bus.dead_letters import DeadLetter
from shared.clock import SystemClock
from shared.errors import CloseloopError, ConfigurationError
from shared.events.catalog import TOPICS
from shared.events.envelope import Message
from shared.runtime import Runtime

app = typer.Typer(help="Messages that could not be handled: list, show, replay.", no_args_is_help=True)

_NAMES = [topic.name for topic in TOPICS]


def _known(topic: str | None) -> str | None:
    if topic is not None and topic not in _NAMES:
        raise ConfigurationError(f"there is no topic {topic}; there are {', '.join(_NAMES)}")
    return topic


Topic = Annotated[
    str | None, typer.Option(help="Only those of this topic, such as feedback.received.", callback=_known)
]
_SHORT = 8


@app.command("list")
def list_letters(
    topic: Topic = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those replayed already.")] = False,
) -> None:
    """List dead letters, oldest first."""
    letters = run(_letters(topic, everything))
    if not letters:
        out.print("No dead letters.")
        return
    table = Table("id", "at (UTC)", "topic", "from", "reason", box=None)
    for letter in letters:
        replayed = f" (replayed {letter.replayed_at:%Y-%m-%d %H:%M})" if letter.replayed_at else ""
        origin = letter.source or letter.group or ""
        table.add_row(
            letter.id[:_SHORT], f"{letter.at:%Y-%m-%d %H:%M:%S}", letter.topic, origin, plain(letter.reason + replayed)
        )
    out.print(table)


@app.command()
def show(letter_id: Annotated[str, typer.Argument(help="Its id, or the start of it.")]) -> None:
    """Show one dead letter whole. Its body may hold what customers wrote."""
    letter = run(_letter(letter_id))
    for name in ("id", "kind", "topic", "source", "group", "partition", "offset", "at", "reason", "replayed_at"):
        value = getattr(letter, name)
        if value is not None:
            out.print(f"[bold]{name:12}[/] {plain(str(value))}")
    for name, text in letter.headers:
        out.print(f"[dim]{plain(name)}: {plain(text.decode('utf-8', 'replace'))}[/]")
    sys.stdout.flush()
    sys.stdout.write((letter.value or b"").decode("utf-8", "replace") + "\n")


@app.command()
def replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="Ids, or their starts.")] = None,
    topic: Topic = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
) -> None:
    """Put dead letters back where they were to be read. What was handled meanwhile is not handled twice."""
    if bool(letter_ids) == (everything or topic is not None):
        raise ConfigurationError("name the letters to replay, or say --all or --topic")
    failed = run(_replay(letter_ids or [], topic))
    if failed:
        raise typer.Exit(1)


async def _letters(topic: str | None, everything: bool) -> list[DeadLetter]:
    async with open_bus(configure()) as bus:
        letters = await dead_letters.list_dead(bus, topic)
    return [letter for letter in letters if everything or letter.replayed_at is None]


async def _letter(letter_id: str) -> DeadLetter:
    async with open_bus(configure()) as bus:
        return await _find(bus, letter_id)


async def _find(bus: Bus, letter_id: str) -> DeadLetter:
    letter = await dead_letters.find(bus, letter_id)
    if letter is None:
        raise ConfigurationError(f"no dead letter's id starts with {letter_id}, or several do: `dead-letters list`")
    return letter


async def _replay(letter_ids: list[str], topic: str | None) -> int:
    """How many could not be replayed."""
    configuration = configure()
    failed = 0
    async with open_bus(configuration) as bus:
        if letter_ids:
            chosen = [await _find(bus, letter_id) for letter_id in letter_ids]
        else:
            chosen = [letter for letter in await dead_letters.list_dead(bus, topic) if letter.replayed_at is None]
        runtime = Runtime(configuration.settings, configuration.policy, SystemClock(), bus)
        for letter in chosen:
            try:
                await _replay_one(letter, runtime)
                out.print(f"{letter.id[:_SHORT]} replayed to {letter.topic}")
            except CloseloopError as error:
                failed += 1
                complain(f"{letter.id[:_SHORT]} not replayed: {error}")
    out.print(f"{len(chosen) - failed} replayed, {failed} not.")
    return failed


async def _replay_one(letter: DeadLetter, runtime: Runtime) -> None:
    if letter.kind == dead_letters.MESSAGE:
        return await dead_letters.replay(runtime.bus, letter)
    # Ingest publishes what the delivery now means; what is left is the mark that says it was done.
    await replay_webhook(_as_message(letter), runtime)
    await dead_letters.mark_replayed(runtime.bus, letter)


def _as_message(letter: DeadLetter) -> Message:
    ours = {"dl_kind": letter.kind, "dl_source": letter.source or "", "dl_at": letter.at.isoformat()}
    headers = (*letter.headers, *((name, value.encode()) for name, value in ours.items()))
    return Message(
        letter.topic, letter.partition or 0, letter.offset or 0, letter.key, letter.value, headers, letter.at
    )
