"""What people do in Slack: buttons, modals, /loops and Home, over the signed doors."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import insert, select

from services.router import tables
from services.router.domain import commands
from services.router.domain.case import Status
from services.router.domain.view import CaseView
from shared.errors import DatabaseUnavailable
from tests.support.slack_bench import ANA, LEA, MAX, SECRET, SlackBench

NOON_SECONDS = 1793620800
TOUCH = {
    "channel": "call",
    "acknowledgement": "You lost a morning; that is on us.",
    "next_step": "A fixed export",
    "next_step_due": "2026-11-06",
}


@asynccontextmanager
async def carded(bench: SlackBench) -> AsyncIterator[CaseView]:
    """A case whose cards are in the inboxes of Ana and Lea, and a sender that keeps them live."""
    async with bench.sending():
        view = await bench.low(2)
        await bench.sent(2)
        yield view


async def status(bench: SlackBench, view: CaseView) -> Status:
    return (await bench.case(view.case.id)).case.status


async def test_from_the_card_to_the_closed_case(bench: SlackBench) -> None:
    async with carded(bench) as view:
        assert (await bench.clicks(ANA, "case.acknowledge"))["ok"]
        assert await status(bench, view) is Status.ACKNOWLEDGED
        await bench.until(lambda: "Acknowledged by" in str(bench.inbox(LEA)[0]["blocks"]))

        await bench.clicks(ANA, "case.log_touch")
        assert (await bench.submits(ANA, **TOUCH))["ok"]
        assert await status(bench, view) is Status.TOUCHED
        assert bench.sandbox.open_view(ANA) is None
        await bench.until(lambda: "case.resolve" in str(bench.inbox(ANA)[0]["blocks"]))

        await bench.clicks(ANA, "case.resolve")
        assert (await bench.submits(ANA, outcome="fixed", what_was_done="A new export"))["ok"]
        await bench.until(lambda: "Confirm closed" in str(bench.inbox(LEA)[0]["blocks"]))
        await bench.clicks(LEA, "case.confirm_closed")
        assert await status(bench, view) is Status.CLOSED
        await bench.until(lambda: "Closed by " in str(bench.inbox(ANA)[0]["blocks"]))
    actors = [(entry.type, entry.actor) for entry in await bench.journal(view.case.id) if "@" in entry.actor]
    assert actors == [("acknowledged", ANA), ("touched", ANA), ("resolved", ANA), ("closed", LEA)]


async def test_the_close_out_question_can_be_answered_no(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        await bench.submits(ANA, **TOUCH)
        await bench.turns(timedelta(days=7), step=timedelta(days=1))
        await bench.until(lambda: [m for m in bench.inbox(ANA) if "Is it still fixed?" in m["text"]])
        question = bench.inbox(ANA)[-1]
        await bench.clicks(ANA, "case.still_open", question)
        assert (await bench.submits(ANA, reason="It broke again"))["ok"]
        assert await status(bench, view) is Status.OPEN
        await bench.until(lambda: "Open again" in bench.inbox(ANA)[-1]["text"])
    assert (await bench.case(view.case.id)).case.reopened == 1


async def test_a_double_click_is_one_acknowledgement(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await asyncio.gather(*(bench.clicks(ANA, "case.acknowledge", bench.inbox(ANA)[0]) for _ in range(3)))
        await bench.until(lambda: bench.whispers(ANA))
    assert [entry.type for entry in await bench.journal(view.case.id)].count("acknowledged") == 1


async def test_whoever_comes_second_is_told_who_was_first(bench: SlackBench) -> None:
    async with carded(bench) as view:
        stale = bench.inbox(LEA)[0]
        await bench.does(view.case.id, commands.Acknowledge(actor=ANA))
        assert (await bench.clicks(LEA, "case.acknowledge", stale))["ok"]
        await bench.until(lambda: bench.whispers(LEA))
    assert "Already acknowledged by ana@us.example" in bench.whispers(LEA)[0]


async def test_a_touch_submitted_twice_is_one_touch(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        modal = bench.sandbox.open_view(ANA)
        assert modal
        answers = await asyncio.gather(*(bench.sandbox.submit(modal["id"], ANA, dict(TOUCH)) for _ in range(2)))
        assert all(answer["ok"] for answer in answers)
    assert [entry.type for entry in await bench.journal(view.case.id)].count("touched") == 1


async def test_what_is_wrong_is_said_under_the_field_and_the_text_stays(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        answer = await bench.submits(ANA, **{**TOUCH, "next_step_due": "2026-11-01"})
        assert list(answer["errors"]) == ["next_step_due"]
        assert bench.sandbox.open_view(ANA)
        assert await status(bench, view) is Status.OPEN
        assert (await bench.submits(ANA, **TOUCH))["ok"]


async def test_a_modal_that_comes_too_late_says_so_and_stays_open(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        await bench.does(view.case.id, commands.Dismiss(actor=LEA, reason="A robot"))
        answer = await bench.submits(ANA, **TOUCH)
        assert "Already dismissed" in answer["errors"]["channel"]
        assert bench.sandbox.open_view(ANA)


async def test_typed_text_survives_a_database_outage(bench: SlackBench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        with monkeypatch.context() as broken:
            broken.setattr(bench.cases, "apply", _no_database)
            answer = await bench.submits(ANA, **TOUCH)
        assert "your text is still here" in answer["errors"]["channel"]
        assert (await bench.submits(ANA, **TOUCH))["ok"]
        assert await status(bench, view) is Status.TOUCHED


async def test_typed_text_survives_a_database_that_does_not_answer_at_all(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not refused but silent, and the one who submits is not known in this process yet."""
    async with carded(bench):
        await bench.clicks(ANA, "case.log_touch")
        with monkeypatch.context() as broken:
            broken.setattr(bench.database, "read", _silent)
            broken.setattr(bench.database, "transaction", _silent)
            bench.slack.clicks.actors._known.clear()
            began = time.monotonic()
            answer = await bench.submits(ANA, **TOUCH)
            assert time.monotonic() - began < 3
        assert "your text is still here" in answer["errors"]["channel"]
        assert (await bench.submits(ANA, **TOUCH))["ok"]


@asynccontextmanager
async def _silent(**_: Any) -> AsyncIterator[None]:
    """In the end it gives up, as a driver does: else the sender, which may have asked too, could not end either."""
    await asyncio.sleep(4)
    raise DatabaseUnavailable("the database did not answer")
    yield


async def _no_database(*_: Any) -> None:
    raise DatabaseUnavailable("the database does not answer")


async def test_a_click_during_a_database_outage_says_that_nothing_changed(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with carded(bench) as view:
        monkeypatch.setattr(bench.cases, "apply", _no_database)
        assert (await bench.clicks(ANA, "case.acknowledge"))["ok"]
        await bench.until(lambda: bench.whispers(ANA))
        assert "nothing was changed" in bench.whispers(ANA)[0]
        assert await status(bench, view) is Status.OPEN


async def test_a_touch_covers_only_what_its_author_saw(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.log_touch")
        await bench.low(1, record_id="while typing")
        assert (await bench.submits(ANA, **TOUCH))["ok"]
        case = (await bench.case(view.case.id)).case
        assert len(case.waiting_clocks) == 1
        assert case.status is Status.OPEN


async def test_a_reassignment_goes_to_a_real_colleague(bench: SlackBench) -> None:
    guest = bench.sandbox.add_user(email="guest@elsewhere.example", is_restricted=True)
    async with carded(bench) as view:
        await bench.clicks(ANA, "case.reassign")
        refused = await bench.submits(ANA, new_owner=guest.id, reason="Holiday")
        assert "guest" in refused["errors"]["new_owner"]
        refused = await bench.submits(ANA, new_owner="U0BOT", reason="Holiday")
        assert "bot" in refused["errors"]["new_owner"]
        assert (await bench.submits(ANA, new_owner="U0MAX", reason="Holiday"))["ok"]
        await bench.until(lambda: bench.inbox(MAX))
    assert (await bench.case(view.case.id)).case.owner == MAX
    assert "reassigned by ana@us.example" in str(bench.inbox(MAX)[0]["blocks"])


async def test_the_menu_dismisses_with_a_reason(bench: SlackBench) -> None:
    async with carded(bench) as view:
        card = bench.inbox(ANA)[0]
        menu = next(block["accessory"] for block in card["blocks"] if "accessory" in block)
        await bench.clicks(ANA, "case.dismiss", card, value=menu["options"][0]["value"])
        assert (await bench.submits(ANA, reason="A robot"))["ok"]
        assert await status(bench, view) is Status.DISMISSED


async def test_the_menu_closes_the_case_of_a_customer_who_left(bench: SlackBench) -> None:
    async with carded(bench) as view:
        card = bench.inbox(ANA)[0]
        menu = next(block["accessory"] for block in card["blocks"] if "accessory" in block)
        await bench.clicks(ANA, "case.dismiss", card, value=menu["options"][1]["value"])
        assert (await bench.submits(ANA, what_was_done="They cancelled in October"))["ok"]
        assert await status(bench, view) is Status.CLOSED


async def test_a_guest_may_not_act(bench: SlackBench) -> None:
    async with carded(bench) as view:
        bench.sandbox.update_user("U0MAX", is_restricted=True)
        card = {**bench.inbox(ANA)[0]}
        payload = clicked(card, "U0MAX", view.case.id)
        assert (await post(bench, "interactions", payload)).status_code == 200
        stranger = clicked(card, "U0LEA", view.case.id, team="T0OTHER")
        assert (await post(bench, "interactions", stranger)).status_code == 200
        assert await status(bench, view) is Status.OPEN


async def test_somebody_of_another_company_in_a_shared_channel_sees_and_does_nothing(bench: SlackBench) -> None:
    """A customer: Slack tells the app their name and address as it does of everybody in a channel they share."""
    async with carded(bench) as view:
        customer = bench.sandbox.add_user(email="dora@acme.example", team_id="T0ACME")
        for text in ("team", view.case.id):
            answer = (await bench.sandbox.command("/loops", customer.id, text))["answer"]
            assert "belongs to another company" in answer["text"]
            assert view.case.id not in str(answer)
        await bench.sandbox.home(customer.id)
        await bench.until(lambda: bench.sandbox.home_view(customer.id))
        assert "belongs to another company" in str(bench.sandbox.home_view(customer.id))
        await bench.clicks(ANA, "case.reassign")
        refused = await bench.submits(ANA, new_owner=customer.id, reason="They know best")
        assert "another company" in refused["errors"]["new_owner"]


async def test_a_click_proves_that_a_lost_message_is_there(bench: SlackBench) -> None:
    """Slack's answer was lost and its history cannot be read: the click settles it, and nothing is sent twice."""
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=2)
    bench.sandbox.inject("500", method="conversations.history")
    async with bench.sending():
        view = await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.idle()
        assert await bench.states() == ["uncertain", "uncertain"]
        await bench.clicks(ANA, "case.acknowledge")
        await bench.clicks(LEA, "case.log_touch")
        assert await bench.states() == ["sent", "sent"]
        bench.sandbox.faults.clear()
        await bench.turns(timedelta(seconds=45), step=timedelta(seconds=1))
        await bench.until(lambda: "Acknowledged by" in str(bench.inbox(ANA)[0]["blocks"]))
    assert set(bench.copies().values()) == {1}
    assert [entry.type for entry in await bench.journal(view.case.id)].count("alerted") == 2


async def test_a_click_that_is_refused_proves_it_too(bench: SlackBench) -> None:
    bench.sandbox.inject("drop_after_storing", method="chat.postMessage", count=2)
    bench.sandbox.inject("500", method="conversations.history")
    async with bench.sending():
        view = await bench.low(2)
        await bench.until(lambda: len(bench.copies()) == 2)
        await bench.idle()
        await bench.does(view.case.id, commands.Dismiss(actor=LEA, reason="A robot"))
        for email, action in ((ANA, "case.acknowledge"), (LEA, "case.log_touch")):
            await bench.clicks(email, action)
            await bench.until(lambda email=email: bench.whispers(email))
            assert "Already dismissed" in bench.whispers(email)[0]
        assert await bench.states() == ["sent", "sent"]


async def test_a_form_is_answered_within_slacks_three_seconds_however_slow_all_else_is(
    bench: SlackBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither Slack nor the database answers, and nobody is known in this process yet."""
    async with carded(bench):
        await bench.clicks(ANA, "case.reassign")
    bench.slack.clicks.actors._known.clear()
    for method in ("users.info", "auth.test"):
        bench.sandbox.inject("delay_after_storing", method=method, seconds=1.0)
    with monkeypatch.context() as broken:
        broken.setattr(bench.database, "read", _silent)
        broken.setattr(bench.database, "transaction", _silent)
        began = time.monotonic()
        answer = await bench.submits(ANA, new_owner="U0MAX", reason="Holiday")
        assert time.monotonic() - began < 3
    assert "ry again" in str(answer["errors"])
    assert bench.sandbox.open_view(ANA), "what was typed stays"


async def test_a_button_of_a_version_long_gone_is_answered(bench: SlackBench) -> None:
    async with carded(bench) as view:
        payload = clicked(bench.inbox(ANA)[0], "U0ANA", view.case.id)
        payload["actions"][0]["action_id"] = "loop.ack"
        assert (await post(bench, "interactions", payload)).status_code == 200
        assert await status(bench, view) is Status.OPEN


async def test_answers_come_well_within_slacks_patience(bench: SlackBench) -> None:
    async with carded(bench):
        for action in ("case.acknowledge", "case.log_touch"):
            began = time.monotonic()
            await bench.clicks(ANA, action)
            assert time.monotonic() - began < 1


FORGED = (
    {"x-slack-signature": "v0=" + "0" * 64},
    {"x-slack-signature": "v0=s\u00fc\u00df"},
    {"x-slack-signature": ""},
    {"x-slack-request-timestamp": "soon"},
    {"x-slack-request-timestamp": str(NOON_SECONDS - 301)},
)


@pytest.mark.parametrize("door", ["interactions", "commands", "events", "options"])
async def test_whoever_is_not_slack_is_refused(bench: SlackBench, door: str) -> None:
    body = b"payload=%7B%7D"
    async with httpx.AsyncClient(trust_env=False) as http:
        for change in FORGED:
            headers = {**signed(bench, body), **change}
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            answer = await http.post(f"{bench.app_url}/slack/{door}", content=body, headers=raw)
            assert answer.status_code == 401, change


async def test_a_signed_body_that_is_junk_is_a_bad_request(bench: SlackBench) -> None:
    for body in (b"", b"payload=", b"payload=%7B", b"payload=[]", b"payload=" + b"%5B" * 9999):
        assert (await raw_post(bench, "interactions", body)).status_code == 400, body[:20]


async def test_a_huge_body_is_refused_unread(bench: SlackBench) -> None:
    assert (await raw_post(bench, "interactions", b"x" * 1_100_000)).status_code == 413


async def test_slack_can_verify_the_events_address(bench: SlackBench) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c-1", "token": ""}).encode()
    answer = await raw_post(bench, "events", body)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c-1"})


async def test_loops_lists_my_open_cases(bench: SlackBench) -> None:
    async with carded(bench) as view:
        answer = (await bench.sandbox.command("/loops", ANA))["answer"]
        assert view.case.id in answer["text"]
        assert "Acme Ltd" in answer["text"]
        assert "none" in (await bench.sandbox.command("/loops", MAX, "mine"))["answer"]["text"]
        assert view.case.id in (await bench.sandbox.command("/loops", MAX, "team"))["answer"]["text"]
        assert "/loops team" in (await bench.sandbox.command("/loops", MAX, "help"))["answer"]["text"]
        one = (await bench.sandbox.command("/loops", MAX, view.case.id.lower()))["answer"]
        assert "case.acknowledge" in str(one["blocks"])
        assert "no case" in (await bench.sandbox.command("/loops", MAX, "L-AAAAAAAAAA"))["answer"]["text"]
        assert "Not understood" in (await bench.sandbox.command("/loops", MAX, "<!channel>"))["answer"]["text"]


async def test_loops_begins_with_what_is_due_first_however_many_cases_are_open(bench: SlackBench) -> None:
    """The oldest is the most urgent: hundreds that came later must not hide it."""
    oldest = await bench.low(2)
    async with bench.database.transaction() as tx:
        row = dict((await tx.execute(select(tables.cases))).mappings().one())
        later = {name: row[name] + timedelta(hours=1) for name in ("opened_at", "touch_due_at")}
        copies = [{**row, **later, "id": f"L-{n:010d}", "account_key": f"copy{n}"} for n in range(250)]
        await tx.execute(insert(tables.cases), copies)
    for whose in ("mine", "team"):
        answer = (await bench.sandbox.command("/loops", ANA, whose))["answer"]
        first = answer["text"].splitlines()[1]
        assert oldest.case.id in first
        assert "and 231 more" in str(answer["blocks"])


async def test_the_buttons_of_a_case_asked_for_work(bench: SlackBench) -> None:
    async with carded(bench) as view:
        await bench.sandbox.command("/loops", ANA, view.case.id)
        shown = next(message for message in bench.sandbox.messages(email=ANA) if message["ephemeral_to"])
        await bench.clicks(ANA, "case.acknowledge", shown)
        assert await status(bench, view) is Status.ACKNOWLEDGED


def clicked(card: dict[str, Any], user: str, case_id: str, team: str = "T0SANDBOX") -> dict[str, Any]:
    value = json.dumps({"case": case_id, "notice": "", "version": 1})
    return {
        "type": "block_actions",
        "user": {"id": user, "team_id": team},
        "team": {"id": "T0SANDBOX"},
        "container": {"type": "message", "message_ts": card["ts"], "channel_id": card["channel"]},
        "channel": {"id": card["channel"]},
        "trigger_id": "1.1.t",
        "response_url": "",
        "actions": [{"type": "button", "action_id": "case.acknowledge", "value": value}],
    }


def signed(bench: SlackBench, body: bytes) -> dict[str, str]:
    stamp = str(int(bench.clock.now().timestamp()))
    digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
    }


async def raw_post(bench: SlackBench, door: str, body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(f"{bench.app_url}/slack/{door}", content=body, headers=signed(bench, body))


async def post(bench: SlackBench, door: str, payload: dict[str, Any]) -> httpx.Response:
    return await raw_post(bench, door, urlencode({"payload": json.dumps(payload)}).encode())
