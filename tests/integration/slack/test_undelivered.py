"""An alert that Slack does not bring goes to the lead and by e-mail at once: a case is never silent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from services.router import tables
from services.router.audit.invariants import Question, check
from services.router.channels.email import EmailChannel
from services.router.delivery.mailing import Mailer
from services.router.delivery.silence import Silence
from services.router.delivery.undelivered import UNDELIVERED, Undelivered
from services.router.domain import commands
from services.router.slack.errors import WORKSPACE
from shared.observability import NOTICE_QUEUE_AGE
from shared.settings import SmtpSettings
from tests.support.slack_bench import ANA, LEA, POLICY, SlackBench, slack_bench
from tests.support.smtp import MailServer, mail_server

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
IN_CHANNEL = f'{POLICY}delivery = "channel:C0TEAM"\n'


@pytest.fixture
async def post() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SlackBench]:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/closeloop.db", IN_CHANNEL) as made:
        await made.account()
        yield made


def with_mail(bench: SlackBench, server: MailServer) -> Mailer:
    smtp = SmtpSettings(host="127.0.0.1", port=server.port, starttls=False, sender="closeloop@us.example")
    bench.runtime.settings.smtp = smtp
    return Mailer(bench.database, EmailChannel(smtp, bench.clock), bench.clock, "http://closeloop.test")


async def mail_states(bench: SlackBench) -> list[str]:
    async with bench.database.read() as connection:
        return list((await connection.execute(select(tables.mails.c.state))).scalars())


async def silent_cases(bench: SlackBench) -> tuple[str, ...]:
    async with bench.database.read() as connection:
        findings = await check(connection, Question(bench.clock.now(), bench.policy))
    return next(finding.broken_by for finding in findings if finding.name == "silence_is_broken")


async def test_alerts_into_an_archived_channel_go_to_the_lead_and_by_mail_at_once(
    bench: SlackBench, post: MailServer
) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    async with bench.sending(bench.service()):
        view = await bench.low(2, comment="The export fails every morning")
        await bench.until(lambda: bench.inbox(LEA))
        await both_parked(bench)
        while await mailer.send_waiting():
            pass
    (mail,) = post.to(ANA)
    assert "The export fails every morning" in mail.get_content()
    assert "Slack could not bring this alert to you: is_archived" in mail.get_content()
    assert f"http://closeloop.test/cases/{view.case.id}" in mail.get_content()
    assert post.to(LEA)
    assert "did not reach" in bench.inbox(LEA)[0]["text"] + str(bench.inbox(LEA)[0]["blocks"])
    assert "alert_undelivered" in [entry.type for entry in await bench.journal(view.case.id)]
    assert not await silent_cases(bench)


async def both_parked(bench: SlackBench) -> None:
    """A place that refused one message is left alone for a moment before the next."""

    async def parked() -> bool:
        bench.clock.advance(SECOND)
        return (await bench.states()).count("parked") >= 2

    await bench.until(parked)


async def test_a_notice_parked_again_and_again_is_mailed_once(bench: SlackBench, post: MailServer) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    service = bench.service()
    bench.slack = service
    async with bench.sending(service):
        await bench.low(2)
        await bench.turns(20 * MINUTE, step=30 * SECOND)
    while await mailer.send_waiting():
        pass
    assert len({mail["Message-ID"] for mail in post.kept}) == len(post.kept)
    assert len(post.to(ANA)) == 1


async def test_when_slack_reaches_nobody_the_mail_does(tmp_path: Path, post: MailServer) -> None:
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/nobody.db") as bench:
        await bench.account()
        mailer = with_mail(bench, post)
        for user in list(bench.sandbox.directory.users.values()):
            bench.sandbox.update_user(user.id, deleted=True)
        service = bench.service()
        bench.slack = service
        async with bench.sending(service):
            await bench.low(2)
            await bench.turns(MINUTE, step=SECOND)
        while await mailer.send_waiting():
            pass
        assert post.kept, await bench.states()


async def test_a_mail_server_that_stumbles_is_asked_again(bench: SlackBench, post: MailServer) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    async with bench.sending(bench.service()):
        await bench.low(2)
        await both_parked(bench)
    post.refuse = "451 later"
    await mailer.send_waiting()
    assert set(await mail_states(bench)) == {"pending"}
    bench.clock.advance(2 * MINUTE)
    assert await silent_cases(bench), "health says that nobody was told"
    post.refuse = ""
    while await mailer.send_waiting():
        pass
    assert set(await mail_states(bench)) == {"sent"}
    assert not await silent_cases(bench)


async def test_without_a_mail_server_silence_is_counted_and_shown(bench: SlackBench) -> None:
    before = UNDELIVERED.labels("none")._value.get()
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    async with bench.sending():
        view = await bench.low(2)
        await both_parked(bench)
    assert UNDELIVERED.labels("none")._value.get() > before
    assert set(await mail_states(bench)) == {"unset"}
    assert await silent_cases(bench) == (view.case.id,)


async def test_the_age_of_the_queue_is_shown_while_slack_is_down(bench: SlackBench) -> None:
    bench.sandbox.inject("outage")
    async with bench.sending():
        await bench.low(2)
        await bench.turns(5 * MINUTE, step=10 * SECOND)
        assert NOTICE_QUEUE_AGE._value.get() >= 280
        bench.sandbox.faults.clear()
        await bench.turns(2 * MINUTE, step=3 * SECOND)
        await bench.turns(2 * SECOND, step=SECOND)
        assert NOTICE_QUEUE_AGE._value.get() == 0


def silence(bench: SlackBench) -> Silence:
    settings = bench.runtime.settings.smtp
    undelivered = Undelivered(bench.cases, bench.policy, settings)
    return Silence(bench.database, undelivered, bench.clock, bench.policy.sla.alert_within, WORKSPACE)


async def mailed(bench: SlackBench, mailer: Mailer) -> int:
    """What the two loops do together; how many notices were found waiting."""
    found = await silence(bench).break_it()
    while await mailer.send_waiting():
        pass
    return found


async def test_during_an_outage_alerts_go_out_by_mail_after_the_promised_minutes_and_the_cards_follow(
    bench: SlackBench, post: MailServer
) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.inject("outage")
    service = bench.service()
    bench.slack = service
    async with bench.sending(service):
        view = await bench.low(2, comment="The export fails")
        await bench.turns(4 * MINUTE, step=10 * SECOND)
        assert await mailed(bench, mailer) == 0, "Slack may be back within the promise"
        await bench.turns(2 * MINUTE, step=10 * SECOND)
        await mailed(bench, mailer)
        assert await mailed(bench, mailer) == 0, "once"
        (mail,) = post.to(ANA)
        assert "Slack has not taken it yet" in mail.get_content()
        assert "The export fails" in mail.get_content()
        bench.sandbox.faults.clear()
        await bench.turns(MINUTE, step=SECOND)
        await bench.sent(2)
    assert set(bench.copies().values()) == {1}
    assert "alert_undelivered" in [entry.type for entry in await bench.journal(view.case.id)]


@pytest.mark.parametrize("code", ["invalid_auth", "missing_scope", "token_revoked"])
async def test_a_workspace_that_refuses_the_app_is_not_waited_for(
    bench: SlackBench, post: MailServer, code: str
) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.inject("ok_false", method="chat.postMessage", error=code)
    service = bench.service()
    bench.slack = service
    async with bench.sending(service):
        await bench.low(2)
        await bench.turns(2 * SECOND)
        await mailed(bench, mailer)
        await bench.low(1, record_id="later", requester_email="boss@acme.example")
        await mailed(bench, mailer)
    assert [code in mail.get_content() for mail in post.to(ANA)] == [True, True]
    assert post.to(LEA)


async def test_a_place_that_forbids_posting_parks_only_what_goes_there(bench: SlackBench, post: MailServer) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.inject("ok_false", method="chat.postMessage", channel="C0TEAM", error="restricted_action")
    async with bench.sending(bench.service()):
        await bench.low(2)
        await bench.until(lambda: bench.inbox(LEA))
        await both_parked(bench)
        while await mailer.send_waiting():
            pass
    assert post.to(ANA)


async def test_what_waits_for_the_morning_is_no_silence(tmp_path: Path, post: MailServer) -> None:
    quiet = f'{POLICY}[noise.quiet]\nfrom = "11:00"\nuntil = "18:00"\n'
    async with slack_bench(f"sqlite+aiosqlite:///{tmp_path}/quiet.db", quiet) as bench:
        await bench.account()
        mailer = with_mail(bench, post)
        await bench.low(2)
        bench.clock.advance(60 * MINUTE)
        assert await mailed(bench, mailer) == 0
        bench.clock.advance(6 * 60 * MINUTE)
        assert await mailed(bench, mailer) == 2, "its time has come, and nobody sends it"


async def test_a_mail_that_slack_has_overtaken_is_not_sent(bench: SlackBench, post: MailServer) -> None:
    mailer = with_mail(bench, post)
    await bench.low(2)
    bench.clock.advance(6 * MINUTE)
    assert await silence(bench).break_it() == 2
    async with bench.sending(bench.service()):
        await bench.sent(2)
    while await mailer.send_waiting():
        pass
    assert post.kept == []
    assert set(await mail_states(bench)) == {"dropped"}


async def test_a_refused_recipient_is_not_asked_again(bench: SlackBench, post: MailServer) -> None:
    mailer = with_mail(bench, post)
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    async with bench.sending(bench.service()):
        await bench.low(2)
        await both_parked(bench)
    post.refuse = "550 no such mailbox"
    while await mailer.send_waiting():
        pass
    assert set(await mail_states(bench)) == {"failed"}
    assert await silent_cases(bench)


async def test_a_case_that_has_ended_meanwhile_keeps_no_other_from_being_mailed(
    bench: SlackBench, post: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Slack is down, a case is dismissed in the console: of its alerts nobody needs to hear any more."""
    mailer = with_mail(bench, post)
    monkeypatch.setattr("services.router.delivery.silence._AT_A_TIME", 2)
    ended = await bench.low(2)
    await bench.does(ended.case.id, commands.Dismiss(actor=LEA, reason="A robot"))
    await bench.account("other", domains=["other.example"])
    await bench.low(2, record_id="r2", ticket_id="T-2", requester_email="eve@other.example")
    bench.clock.advance(6 * MINUTE)
    assert await mailed(bench, mailer) == 2
    assert len(post.to(ANA)) == 1
    assert await mailed(bench, mailer) == 0, "nothing is left to do, so that the loop may rest"


async def test_the_lead_is_told_in_slack_too_when_what_waited_for_long_is_parked(bench: SlackBench) -> None:
    """Mailed because it waited, or not even that without a mail server: the stand-in in Slack is still owed."""
    bench.sandbox.update_channel("C0TEAM", is_archived=True)
    await bench.low(2)
    bench.clock.advance(6 * MINUTE)
    assert await silence(bench).break_it() == 2
    async with bench.sending(bench.service()):
        await bench.until(lambda: bench.inbox(LEA))
        await both_parked(bench)
    stands_in = [message for message in bench.inbox(LEA) if "did not reach" in str(message["blocks"])]
    assert len(stands_in) == len(bench.inbox(LEA))
