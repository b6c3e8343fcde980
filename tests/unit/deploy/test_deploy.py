"""What lies in deploy/ fits the program: settings, policy, accounts, commands and locked packages."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from typer.main import get_command

from services.cli import app
from services.commands import accounts_file, samples, slack
from services.commands.accounts import check
from services.hosting.startup import Configuration
from services.router.slack.preflight import slack_problems
from services.slack_sandbox.app import SandboxConfig, create_app
from shared.policy import Calendar, FlagPolicy, Policy, RoutingPolicy, SeverityPolicy, SlaPolicy, parse_policy
from shared.settings import PREFIX, Settings, SourceSettings
from tests.support.slack_sandbox import serving

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from names(inner, f"{prefix}{name.upper()}__")
        elif name != "sources":
            yield f"{prefix}{name.upper()}"


def test_env_example_names_every_setting_there_is_and_no_other() -> None:
    known = {*names(Settings, PREFIX), *(f"{PREFIX}SOURCES__*__{name.upper()}" for name in SourceSettings.model_fields)}
    text = (DEPLOY / "env.example").read_text()
    written = set(re.findall(rf"^# ({PREFIX}\w+)=", text, re.M))
    assert {re.sub(r"SOURCES__[A-Z]+__", "SOURCES__*__", name) for name in written} == known


def test_compose_runs_the_three_services_with_settings_that_exist() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = {name: one for name, one in compose["services"].items() if one["image"] == "closeloop"}
    assert set(ours) == {"ingest", "scoring", "router", "migrate"}
    for name, service in ours.items():
        assert set(service["environment"]) <= set(names(Settings, PREFIX)), name
        assert service["read_only"] is True
        assert service["command"][0] in get_command(app).commands  # type: ignore[attr-defined]
    for name in ("ingest", "scoring", "router"):
        assert service_port(ours[name]) in ours[name]["healthcheck"]["test"][-1]


def service_port(service: dict[str, list[str]]) -> str:
    return f":{service['command'][service['command'].index('--port') + 1]}/healthz"


def test_compose_has_no_password_of_its_own() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for secret in re.findall(r"(?:PASSWORD|TOKEN|SECRET)\w*: (.+)", text):
        assert re.fullmatch(r"\$\{\w+:\?.+\}", secret)


def test_the_example_policy_is_the_defaults() -> None:
    assert parse_policy((DEPLOY / "policy.example.toml").read_text()) == Policy()


def test_the_example_policy_names_every_key() -> None:
    text = (DEPLOY / "policy.example.toml").read_text()
    written = set(re.findall(r"^(?:# )?(\w+) =", text, re.M)) | set(re.findall(r"^(?:# )?\[+([\w.]+)", text, re.M))
    for part, model in (
        ("flag", FlagPolicy),
        ("sla", SlaPolicy),
        ("severity", SeverityPolicy),
        ("routing", RoutingPolicy),
    ):
        for key in model.model_fields:
            assert key in written or f"{part}.{key}" in written, f"{part}.{key}"
    assert {name for name in Calendar.model_fields if name not in ("sat", "sun")} <= written


def test_the_examples_in_the_policy_are_right_too() -> None:
    lines = (DEPLOY / "policy.example.toml").read_text().splitlines()
    bare = [re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines]
    policy = parse_policy("\n".join(bare))
    assert policy.sla.tier[0].touch_within is not None
    assert policy.calendar["office"].holidays == "DE"
    assert policy.sources["zendesk"]["subdomain"] == "acme"


@pytest.mark.parametrize("name", ["accounts.example.csv", "samples/accounts.csv"])
def test_the_example_accounts_can_be_imported(name: str) -> None:
    accounts, mistakes = check((DEPLOY / name).read_text(), Configuration(Settings(), Policy()))
    assert mistakes == []
    assert {account.csm for account in accounts} >= {"ana@example.com"}
    assert set(accounts_file.COLUMNS) <= set((DEPLOY / name).read_text().partition("\n")[0].split(","))


@pytest.mark.parametrize("delivery", ["dm", "group_dm", "channel:C0FEEDBACK"])
async def test_an_app_made_from_the_manifest_has_the_scopes_that_delivery_needs(delivery: str) -> None:
    manifest = yaml.safe_load((DEPLOY / "slack-manifest.yaml").read_text())
    assert manifest["features"]["app_home"]["messages_tab_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    config = SandboxConfig(scopes=manifest["oauth_config"]["scopes"]["bot"])
    async with serving(create_app(config)) as base:
        slack = {"bot_token": config.bot_token, "signing_secret": "s", "api_url": f"{base}/api/"}
        settings = Settings.model_validate({"slack": slack})
        policy = Policy.model_validate({"routing": {"delivery": delivery}})
        runtime = Configuration(settings, policy).runtime(database=False)
        assert await slack_problems(runtime) == []


def test_the_image_installs_the_locked_packages_and_nothing_for_development() -> None:
    def locked(path: Path) -> set[str]:
        return set(re.findall(r"^([\w.-]+==\S+)", path.read_text(), re.M))

    image, everything = locked(DEPLOY / "requirements.lock"), locked(DEPLOY.parent / "requirements.lock")
    assert image < everything
    wanted = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    installed = {name.partition("==")[0] for name in image}
    assert {re.split(r"[<>=]", name)[0] for name in wanted} <= installed
    assert "pytest" not in installed


def test_the_image_has_the_files_that_commands_read() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) /app/", (DEPLOY / "Dockerfile").read_text(), re.M)
    let_in = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    for file in (samples.FOLDER, slack.TEMPLATE):
        name = file.relative_to(DEPLOY.parent).as_posix()
        assert name in " ".join(copied).split()
        assert f"!{name}" in let_in
    for name in " ".join(copied).split():
        assert (DEPLOY.parent / name).exists()


def test_no_file_names_a_registry() -> None:
    for path in (DEPLOY / "Dockerfile", DEPLOY / "requirements.lock", DEPLOY / "compose.yaml"):
        assert not re.search(r"(?<!no-emit-)index-url|https?://[\w.]*(pypi|registry)", path.read_text())
