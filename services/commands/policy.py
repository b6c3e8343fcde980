"""`closeloop policy`: checking a policy file before it is used."""

from pathlib import Path
from typing import Annotated

import typer

from services.commands.terminal import out, warn
from services.ingest.sources import sources_of
from services.ingest.sources.options import parse_options
from services.ingest.switchboard import require_proof
from services.router.calendars import build_calendars
from services.router.domain.spans import in_words
from shared.policy import Policy, load_policy
from shared.settings import load_settings

app = typer.Typer(help="The policy file.", no_args_is_help=True)
# Their doors are no webhooks: their options belong to other rooms.
_NOT_WEBHOOKS = ("events",)


@app.command()
def check(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="[default: CLOSELOOP_POLICY_FILE, or policy.toml]"),
    ] = None,
) -> None:
    """Check a policy file and show what it comes to. Status 2, naming the key, when it is wrong."""
    file = file or load_settings().policy_file
    if not file.exists():
        warn(f"{file} does not exist: these are the defaults")
    policy = load_policy(file)
    for line in unknown_options(policy):
        warn(f"{file}: {line}")
    build_calendars(policy)
    for line in summary(policy):
        out.print(line)


def unknown_options(policy: Policy) -> list[str]:
    """What a source does not know. Raises ConfigurationError for a malformed option, or an example that fails."""
    lines = []
    sources = sources_of(policy.sources)
    for name, table in policy.sources.items():
        if name in sources:
            options, unknown = parse_options(sources[name], table)
            require_proof(sources[name], options)
            lines += [f"sources.{name}.{option} is not known, and ignored" for option in unknown]
        elif name not in _NOT_WEBHOOKS:
            lines.append(f"sources.{name}: there is no such source; there are {', '.join(sources)}")
    return lines


def summary(policy: Policy) -> list[str]:
    flag, sla, routing = policy.flag, policy.sla, policy.routing
    return [
        f"version       {policy.version}",
        f"flagged       CSAT at most {flag.csat_at_most:g}, NPS at most {flag.nps_at_most:g},"
        f" CES below {flag.ces_below:g}",
        f"clocks        touch within {in_words(sla.touch_within)},"
        f" close-out question after {in_words(sla.close_out_after)},"
        f" answered within {in_words(sla.close_out_within)};"
        f" calendar {sla.calendar}; {len(sla.tier)} tiers",
        f"people        support lead {routing.support_lead}, fallback owner {routing.fallback_owner}",
        f"delivery      {routing.delivery}" + (f", pilot: everything goes to {routing.pilot}" if routing.pilot else ""),
    ]
