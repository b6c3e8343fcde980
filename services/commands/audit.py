"""`closeloop audit`: proof that the journals are whole, the figures follow from them, and nothing was forgotten."""

from typing import Annotated

import typer
from rich.progress import Progress

from migrations import schema
from services.commands.session import open_database
from services.commands.terminal import FAILED, complain, err, out, run
from services.hosting.startup import Configuration, configure
from services.router.audit.invariants import Finding, Question, check
from services.router.audit.verification import Flaw, verify_next
from shared.clock import SystemClock
from shared.db.engine import Database

app = typer.Typer(help="Proof of journals and figures.", no_args_is_help=True)


@app.command()
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="Only what must hold now, not every journal.")] = False,
) -> None:
    """Verify every journal's hash chain, recompute the figures from it, and check what must always hold. Status 1 when
    something is wrong."""
    checked, flaws, findings = run(_verify(configure(), quick))
    for flaw in flaws:
        complain(f"{flaw.case_id}{f' entry {flaw.seq}' if flaw.seq is not None else ''}: {flaw.words}")
    broken = [finding for finding in findings if not finding.holds]
    for finding in broken:
        complain(f"{finding.name}: not so: {finding.words} ({finding.kind}: {', '.join(finding.broken_by[:5])})")
    if not quick:
        out.print(f"{checked} journals verified, {len(flaws)} flaws.")
    out.print(f"{len(findings) - len(broken)} of {len(findings)} invariants hold.")
    if flaws or broken:
        raise typer.Exit(FAILED)


async def _verify(configuration: Configuration, quick: bool) -> tuple[int, list[Flaw], list[Finding]]:
    async with open_database(configuration) as database:
        await schema.require_newest(database)
        checked, flaws = (0, []) if quick else await _journals(database)
        async with database.read() as connection:
            question = Question(SystemClock().now(), configuration.policy, everything=not quick)
            return checked, flaws, await check(connection, question)


async def _journals(database: Database) -> tuple[int, list[Flaw]]:
    checked, flaws, last = 0, list[Flaw](), ""
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("Verifying journals", total=None)
        while True:
            async with database.read() as connection:
                done = await verify_next(connection, last)
            checked, last = checked + done.checked, done.last
            flaws += done.flaws
            progress.update(task, completed=checked)
            if not done.checked:
                return checked, flaws
