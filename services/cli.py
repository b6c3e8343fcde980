"""`closeloop`: every command by its name; the rooms are in services/commands/."""

import typer

from services.commands import (
    accounts,
    audit,
    covers,
    database,
    dead_letters,
    doctor,
    policy,
    processes,
    secrets,
    slack,
    sources,
    trial,
    upkeep,
)
from services.commands.terminal import ClearErrors

app = typer.Typer(
    name="closeloop",
    help="Closes the customer feedback loop: a low score reaches the people who can repair it, and is not forgotten.",
    cls=ClearErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(processes.up)
app.command()(processes.ingest)
app.command()(processes.scoring)
app.command()(processes.router)
app.command()(doctor.doctor)
app.command("test-alert")(trial.send_alert)
app.command()(upkeep.backup)
app.command()(upkeep.restore)
app.command()(upkeep.retention)
app.add_typer(database.app, name="db")
app.add_typer(accounts.app, name="accounts")
app.add_typer(covers.app, name="covers")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(secrets.app, name="secrets")
app.add_typer(slack.app, name="slack")
app.add_typer(sources.app, name="sources")
