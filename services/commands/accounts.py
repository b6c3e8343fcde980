"""`closeloop accounts`: the account records as a CSV file, in and out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import Progress

from services.commands import accounts_file, csv_file
from services.commands.csv_file import Mistake
from services.commands.session import open_bus
from services.commands.terminal import err, out, run
from services.hosting.startup import Configuration, configure
from services.ingest.account_record import InvalidAccount, parse_account
from shared.clock import SystemClock
from shared.errors import BusUnavailable
from shared.events.catalog import ACCOUNTS_UPDATED, AccountUpdated, account_updated
from shared.events.envelope import decode_data, from_message, to_record
from shared.free_mail import FREE_MAIL

app = typer.Typer(help="Account records as CSV.", no_args_is_help=True)

_AT_ONCE = 200
_DECODER = msgspec.json.Decoder(AccountUpdated)


@app.command("import")
def import_accounts(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Columns: see deploy/accounts.example.csv.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
) -> None:
    """Import accounts. Every row is checked first: with a mistake in the file nothing is imported."""
    configuration = configure()
    accounts, mistakes = check(csv_file.text_of(file), configuration)
    csv_file.refuse(file, mistakes)
    if dry_run:
        out.print(f"{len(accounts)} accounts are right; nothing was imported (--dry-run).")
        return
    run(_publish(configuration, accounts))
    out.print(f"{len(accounts)} accounts imported; the router takes them over in a moment.")


@app.command("export")
def export_accounts(
    file: Annotated[
        Path | None, typer.Argument(dir_okay=False, help="Where to write it [default: to the screen].")
    ] = None,
) -> None:
    """Write the account records of the log as CSV, as `import` reads it."""
    records = run(_newest(configure()))
    text = accounts_file.write(records)
    if file is None:
        out.file.write(text)
    else:
        file.write_text(text, encoding="utf-8")
        err.print(f"{len(records)} accounts written to {file}.")


def check(text: str, configuration: Configuration) -> tuple[list[AccountUpdated], list[Mistake]]:
    """The accounts of a CSV, and every mistake in it by its line."""
    rows, mistakes = accounts_file.read(text)
    now = SystemClock().now()
    free_mail = FREE_MAIL | {name.strip().lower() for name in configuration.policy.routing.free_mail_domains}
    accounts: list[AccountUpdated] = []
    for row in rows:
        try:
            accounts.append(parse_account(row.id, row.record, now, free_mail))
        except InvalidAccount as wrong:
            mistakes += [Mistake(row.line, f"{field}: {problem}") for field, problem in wrong.errors]
    return accounts, mistakes


async def _publish(configuration: Configuration, accounts: Sequence[AccountUpdated]) -> None:
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("Importing", total=len(accounts))
        async with open_bus(configuration) as bus:
            for start in range(0, len(accounts), _AT_ONCE):
                batch = accounts[start : start + _AT_ONCE]
                try:
                    await bus.publish([to_record(account_updated(account)) for account in batch])
                except BusUnavailable as error:
                    raise BusUnavailable(
                        f"{start} of {len(accounts)} accounts were imported, then: {error}."
                        " Import the file again: what is there already is not harmed"
                    ) from error
                progress.advance(task, len(batch))
                await asyncio.sleep(0)


async def _newest(configuration: Configuration) -> list[dict[str, Any]]:
    newest: dict[str, AccountUpdated] = {}
    async with open_bus(configuration) as bus:
        async for message in bus.scan(ACCOUNTS_UPDATED.name):
            account = decode_data(from_message(message), _DECODER)
            if account.id not in newest or newest[account.id].changed_at <= account.changed_at:
                newest[account.id] = account
    return [msgspec.to_builtins(account) for _, account in sorted(newest.items()) if not account.deleted]
