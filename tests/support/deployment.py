"""A whole Closeloop as administrators run it, embedded or distributed: real processes, with a Slack sandbox beside."""

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Table, select

from shared.bus.connect import create_bus
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.events.envelope import Message, from_message
from shared.settings import DatabaseSettings, Settings
from tests.support.blocking import wait_for
from tests.support.closeloop import Ended, run_here
from tests.support.customers import Zendesk
from tests.support.programs import Program
from tests.support.slack_people import SlackPeople
from tests.support.waiting import eventually

ADMIN = "test-admin-token"
SECRET = "test-zendesk-secret"
SERVICES = ("ingest", "scoring", "router")


@dataclass
class Backing:
    """What lies under a deployment; `environment` are further settings its processes need."""

    database: str
    bus: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        return self.bus.startswith("embedded:")


class Deployment:
    """`home` is its working directory. Nothing runs before `start`; `people` have a Slack account."""

    def __init__(
        self, home: Path, backing: Backing, policy: str = "", people: Sequence[str] = (), **environment: str
    ) -> None:
        home.mkdir(parents=True)
        (home / "policy.toml").write_text(policy)
        self.home = home
        self.backing = backing
        self._people = people
        self.sandbox = Program(home, "slack", ["services.slack_sandbox", "--no-rate-limits"], {})
        self.environment = self._settings(environment)
        self.members: dict[str, list[Program]] = {}
        for name in self.names:
            self.add(name)
        # The sandbox is told where clicks go when it is up; nobody can click before that.
        self.slack = SlackPeople(self.sandbox.url)
        headers = {"authorization": f"Bearer {ADMIN}"}
        self.front_door = httpx.Client(base_url=self.program("ingest").url, timeout=20, trust_env=False)
        self.api = httpx.Client(base_url=self.program("router").url, timeout=20, trust_env=False, headers=headers)
        self.zendesk = Zendesk(self.front_door, SECRET)

    @property
    def names(self) -> tuple[str, ...]:
        """The programs it is made of."""
        return ("up",) if self.backing.embedded else SERVICES

    def program(self, service: str) -> Program:
        """The (first) process a service runs in."""
        return self.members["up" if self.backing.embedded else service][0]

    def programs(self) -> list[Program]:
        return [program for members in self.members.values() for program in members]

    # running

    def start(self) -> "Deployment":
        """Start everything and return when all is ready."""
        self.sandbox.start()
        for program in self.programs():
            program.start()
        self.sandbox.wait_until_ready("/_sandbox/users")
        self.slack.app_is_at(self.program("router").url)
        self.slack.hires(*self._people)
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        for program in self.programs():
            program.wait_until_ready()

    def stop(self) -> None:
        """End everything in order; what does not end by itself is killed."""
        with ThreadPoolExecutor() as hands:
            list(hands.map(Program.stop, self.programs()))
        self.sandbox.kill()
        for client in (self.front_door, self.api, self.slack):
            client.close()

    def restart(self, service: str, crash_at: str = "") -> None:
        """`kill -9` the process of a service and start it again."""
        program = self.program(service)
        program.kill()
        program.start(crash_at)
        program.wait_until_ready()

    def add(self, service: str) -> Program:
        """One more member of a service, not yet started."""
        members = self.members.setdefault(service, [])
        name = service if not members else f"{service}-{len(members) + 1}"
        program = Program(self.home, name, ["services", service], self.environment)
        members.append(program)
        return program

    def turns_to(self, router: Program) -> None:
        """Use another router from now on: for the API, and for what people do in Slack."""
        self.api.base_url = httpx.URL(router.url)
        self.slack.app_is_at(router.url)

    def command(self, *arguments: str) -> Ended:
        """`closeloop <arguments>` in the deployment's directory."""
        return run_here(self.home, arguments, {**_bare_environment(), **self.environment})

    # what an administrator and CX operations do

    def knows(self, account: str, **record: Any) -> None:
        """PUT an account record, and wait until the router has it."""
        answer = self.front_door.put(f"/v1/accounts/{account}", json=record, headers=self.api.headers)
        assert answer.status_code == 202, answer.text
        eventually(lambda: self.api.get(f"/v1/accounts/{account}").status_code == 200, what=f"account {account}")

    def cases(self, **filters: str) -> list[dict[str, Any]]:
        """GET /v1/cases, every page of it, newest first."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get("/v1/cases", limit="200", **filters, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    def case_of(self, account: str) -> dict[str, Any]:
        """The account's newest case; AssertionError while there is none."""
        found = self.cases(account_id=account)
        assert found, f"{account} has no case"
        return found[0]

    def journal(self, case_id: str) -> list[dict[str, Any]]:
        """The journal of a case; AssertionError where its entries are not one unbroken chain."""
        entries: list[dict[str, Any]] = self.get(f"/v1/cases/{case_id}/journal")["items"]
        assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
        assert all(new["prev_hash"] == old["hash"] for old, new in itertools.pairwise(entries))
        return entries

    def happened(self, case_id: str) -> list[str]:
        """The types of a case's journal entries, in order."""
        return [entry["type"] for entry in self.journal(case_id)]

    def figures(self, account: str) -> dict[str, Any]:
        """The SLA figures of one account, this week."""
        lines = self.get("/v1/sla", group="account")["items"]
        found: dict[str, Any] = next(line for line in lines if line["group"] == account)
        return found

    def get(self, path: str, **query: str) -> Any:
        answer = self.api.get(path, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.api.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    # the rows and the log

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """Everything in one of the router's tables, read beside the running processes."""
        return wait_for(self._read(table))

    async def _read(self, table: Table) -> list[dict[str, Any]]:
        database = Database(DatabaseSettings(url=self.backing.database))
        try:
            async with database.read() as connection:
                return [dict(row) for row in (await connection.execute(select(table))).mappings()]
        finally:
            await database.close()

    def published(self, topic: str) -> list[dict[str, Any]]:
        """The data of every event on a topic, in order for each key."""
        return [json.loads(from_message(message).data) for message in wait_for(self._scan(topic))]

    async def _scan(self, topic: str) -> list[Message]:
        settings = Settings(_env_file=None, bus={"url": self.backing.bus})
        bus = create_bus(settings, SystemClock())
        await bus.start()
        try:
            return [message async for message in bus.scan(topic)]
        finally:
            await bus.stop()

    def _settings(self, more: dict[str, str]) -> dict[str, str]:
        prefixed = {f"CLOSELOOP_{name}": value for name, value in more.items()}
        return {
            "CLOSELOOP_AUTH__ADMIN_TOKEN": ADMIN,
            "CLOSELOOP_SOURCES__ZENDESK__SECRET": SECRET,
            "CLOSELOOP_DATABASE__URL": self.backing.database,
            "CLOSELOOP_BUS__URL": self.backing.bus,
            "CLOSELOOP_BUS__SESSION_TIMEOUT_MS": "3000",
            "CLOSELOOP_SLACK__BOT_TOKEN": "xoxb-sandbox",
            "CLOSELOOP_SLACK__SIGNING_SECRET": "sandbox-signing-secret",
            "CLOSELOOP_SLACK__API_URL": f"{self.sandbox.url}/api/",
            "CLOSELOOP_SLACK__RATE_LIMITS": "false",
            "CLOSELOOP_SLACK__TIMEOUT_SECONDS": "2",
            **self.backing.environment,
            **prefixed,
        }


def _bare_environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin"}
