"""Which sources are switched on: secrets from the settings, options from the policy, and loud words about both."""

import structlog

from services.ingest.front_door import OpenSource
from services.ingest.signatures import standard_key
from services.ingest.sources import cloudevents, sources_of
from services.ingest.sources.base import Options, Source
from services.ingest.sources.options import parse_options
from shared.errors import ConfigurationError
from shared.policy import Policy
from shared.settings import PREFIX, Settings

log = structlog.get_logger(__name__)


def secret_setting(name: str) -> str:
    """The environment variable that switches a source on."""
    return f"{PREFIX}SOURCES__{name.upper()}__SECRET"


def open_sources(settings: Settings, policy: Policy) -> dict[str, OpenSource]:
    """The sources that have a secret, by name. Raises ConfigurationError naming a malformed option, and the worked
    example of a mapped source that does not hold."""
    opened = [_open(source, settings, policy) for source in sources_of(policy.sources).values()]
    _warn(settings, policy)
    return {one.source.name: one for one in opened if one.secrets}


def open_events(settings: Settings, policy: Policy, admin_token: str) -> OpenSource:
    """The door of CloudEvents: the secret of the source `events`, or the admin token."""
    opened = _open(cloudevents.SOURCE, settings, policy)
    return OpenSource(opened.source, (*opened.secrets, admin_token), opened.options)


def _open(source: Source, settings: Settings, policy: Policy) -> OpenSource:
    options, unknown = parse_options(source, policy.sources.get(source.name, {}))
    for name in unknown:
        log.warning("unknown_source_option", key=f"sources.{source.name}.{name}", known=sorted(source.options))
    configured = settings.sources.get(source.name)
    secrets = configured.secrets() if configured else ()
    if secrets or source.name in policy.sources:
        require_proof(source, options)
    return OpenSource(source, secrets, options)


def require_proof(source: Source, options: Options) -> None:
    """Raises ConfigurationError saying what of a source's options does not hold."""
    wrong = source.unproven(options)
    if wrong:
        raise ConfigurationError("\n".join(f"sources.{source.name}: {one}" for one in wrong))


def _warn(settings: Settings, policy: Policy) -> None:
    names = {*sources_of(policy.sources), cloudevents.SOURCE.name}
    for name in sorted(set(policy.sources) - names):
        log.warning("unknown_source_in_policy", key=f"sources.{name}", known=sorted(names))
    for name in sorted(set(settings.sources) - names):
        log.warning("unknown_source_in_settings", setting=secret_setting(name), known=sorted(names))
    for name in sorted(set(policy.sources) & names - {cloudevents.SOURCE.name}):
        if name not in settings.sources or not settings.sources[name].secrets():
            log.warning("source_is_off", source=name, switch_on_with=secret_setting(name))
    configured = settings.sources.get("standard")
    if configured and not all(standard_key(secret) for secret in configured.secrets()):
        log.warning("secret_is_not_base64", setting=secret_setting("standard"), expected="whsec_ and base64")
