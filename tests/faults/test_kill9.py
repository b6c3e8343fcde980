"""kill -9 of each service between any two steps, while flagged answers flow: nothing is lost, nothing doubled."""

import os
import random
import threading
from typing import Any

import pytest

from tests.support.deployment import Deployment
from tests.support.deployments import MODES, Deploy
from tests.support.flow import Flow, reckon

ACCOUNTS = [f"kunde{number}" for number in range(10)]
CSMS = ["ana@us.example", "ben@us.example", "eva@us.example"]
LEA = "lea@us.example"
POLICY = f'[routing]\nsupport_lead = "{LEA}"\nfallback_owner = "{LEA}"\n'
# A service, and the point of shared/faults.py at which it is to die; empty: at any moment.
DISASTERS = [
    ("ingest", "after_publish"),
    ("scoring", "after_commit_before_offset"),
    ("router", "after_commit_before_offset"),
    ("ingest", ""),
    ("router", "after_slack_accepted"),
    ("scoring", ""),
    ("router", ""),
]
EVENTS = 30
NOTICES = int(os.environ.get("CLOSELOOP_STRESS_NOTICES", "400")) // 5
"""Of which the router is killed again and again; a CSM and a lead get 20 each about every account."""
SHARE = 0.02
SLACK_FAILS: list[tuple[str, dict[str, Any]]] = [
    ("429", {"retry_after": 1}),
    ("500", {}),
    ("500", {"stored": True}),
    ("drop_after_storing", {}),
    ("drop_before_storing", {}),
]


def strike(closeloop: Deployment, service: str, point: str, flow: Flow, count: int, chance: random.Random) -> None:
    """`kill -9` a service while `count` answers come in, at a point or at any moment; then it is started again, and
    may still be starting when the next one dies."""
    program = closeloop.program(service)
    if point:
        program.kill()
        flow.begins(count)
        program.start(crash_at=point)
        program.wait_until_dead()
    else:
        program.wait_until_ready()
        flow.begins(count)
        threading.Event().wait(chance.uniform(0, 0.4))
        program.kill()
    program.start()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", MODES)
def test_g1_g2_g3_g7_kill_9_anywhere_loses_and_doubles_nothing(
    mode: str, deploy: Deploy, record_testsuite_property: Any
) -> None:
    closeloop = deploy(mode, POLICY, (*CSMS, LEA))
    for number, account in enumerate(ACCOUNTS):
        csm = CSMS[number % len(CSMS)]
        closeloop.knows(account, name=account, domains=[f"{account}.example"], csm=csm, support_lead=LEA)
    seed = random.randrange(1_000_000)
    chance, flow = random.Random(seed), Flow(closeloop, ACCOUNTS)

    share, rest = divmod(EVENTS, len(DISASTERS))
    for number, (service, point) in enumerate(DISASTERS):
        strike(closeloop, service, point, flow, share + (number < rest), chance)

    found = reckon(closeloop, flow)
    told = f"{found}; sent again {flow.sent_again} times, answers {dict(flow.answers)}, seed {seed}"
    record_testsuite_property(f"kill -9, {mode}", told)
    assert not found.wrong, told
    assert (found.cases, found.responses) == (len(ACCOUNTS), EVENTS), told


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("mode", MODES)
def test_g7_kill_9_of_the_router_again_and_again_while_slack_fails(
    mode: str, deploy: Deploy, record_testsuite_property: Any
) -> None:
    accounts = [f"kunde{number}" for number in range(max(1, NOTICES // 40))]
    people = {account: (f"csm-{account}@us.example", f"lead-{account}@us.example") for account in accounts}
    closeloop = deploy(mode, POLICY, (LEA, *(email for pair in people.values() for email in pair)))
    for account, (csm, lead) in people.items():
        closeloop.knows(account, name=account, domains=[f"{account}.example"], csm=csm, support_lead=lead)
    seed = random.randrange(1_000_000)
    chance, flow = random.Random(seed), Flow(closeloop, accounts)
    for number, (kind, options) in enumerate(SLACK_FAILS):
        closeloop.slack.breaks(kind, method="chat.postMessage", probability=SHARE, seed=seed + number, **options)

    flow.begins(NOTICES // 2)
    kills = 3 + NOTICES // 500
    for _ in range(kills):
        threading.Event().wait(chance.uniform(0, 1))
        closeloop.restart("router")

    found = reckon(closeloop, flow)
    told = f"{found}; {kills} kills, answers {dict(flow.answers)}, seed {seed}"
    record_testsuite_property(f"kill -9 while Slack fails, {mode}", told)
    assert not found.wrong, told
    assert (found.responses, found.notices) == (NOTICES // 2, NOTICES), told
