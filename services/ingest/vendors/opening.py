"""Which vendors' APIs we may call: those of sources with an API token, ready with their options."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.ingest.publishing import Needs
from services.ingest.sources import BY_NAME as SOURCES_BY_NAME
from services.ingest.sources.options import parse_options
from services.ingest.sources.survey_options import questions
from services.ingest.vendors import VENDORS
from services.ingest.vendors.base import Options, Vendor
from services.ingest.vendors.client import Client, Gate
from shared.clock import Clock
from shared.errors import ConfigurationError
from shared.policy import Policy
from shared.settings import Settings


@dataclass(frozen=True)
class OpenVendor:
    """A vendor with credentials. All its clients share one pace."""

    vendor: Vendor
    options: Options
    base_url: str
    token: str
    gate: Gate

    def client(self, patience: timedelta = timedelta(0), most_calls: int | None = None) -> Client:
        """A new client, to be closed; see Client for `patience` and `most_calls`."""
        return Client(self.vendor, self.base_url, self.token, self.gate, patience, most_calls)


def open_vendors(settings: Settings, policy: Policy, clock: Clock) -> dict[str, OpenVendor]:
    """By name. Raises ConfigurationError naming the option that calling the vendor lacks."""
    opened: dict[str, OpenVendor] = {}
    for vendor in VENDORS:
        configured = settings.sources.get(vendor.name)
        token = configured.api_token.get_secret_value().strip() if configured and configured.api_token else ""
        if token and vendor.name in SOURCES_BY_NAME:
            options = _options(vendor.name, policy)
            gate = Gate(clock, timedelta(minutes=1) / vendor.calls_per_minute)
            opened[vendor.name] = OpenVendor(vendor, options, vendor.base_url(options), token, gate)
    return opened


def _options(name: str, policy: Policy) -> Options:
    """With the question table of survey tools ready for use. Raises ConfigurationError."""
    options, _ = parse_options(SOURCES_BY_NAME[name], policy.sources.get(name, {}))
    if "questions" in options:
        try:
            options["questions"] = questions(options["questions"])
        except ValueError as wrong:
            raise ConfigurationError(f"sources.{name}.questions: {wrong}") from wrong
    return options


def needs_of(vendors: Mapping[str, OpenVendor]) -> Needs:
    """By source: which of its events are enriched before they go on."""
    return {name: opened.vendor.is_asked_about for name, opened in vendors.items() if opened.vendor.enrich is not None}
