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
from services.router.delivery.undelivered import UNDELIVERED
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
