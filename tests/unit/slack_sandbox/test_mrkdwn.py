"""Text as a person reads it in Slack, and never as markup of the page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.slack_sandbox.mrkdwn import Reader, mrkdwn, plain

READER = Reader("Europe/Lisbon", {"U1": "Ana"}.__getitem__, {"C1": "feedback"}.__getitem__)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~gone~ `code`", "<strong>bold</strong> <em>it</em> <del>gone</del> <code>code</code>"),
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("&lt;b&gt; &amp; co", "&lt;b&gt; &amp; co"),
        ("<b>raw</b>", "braw/b"),
        ("hello <@U1> in <#C1>", 'hello <span class="mention ">@Ana</span> in <span class="mention ">#feedback</span>'),
        ("<!channel>", '<span class="mention broadcast">@channel</span>'),
        ("&lt;!channel&gt;", "&lt;!channel&gt;"),
        ("<javascript:alert(1)|click>", "click"),
        ("`*not bold*`", "<code>*not bold*</code>"),
        (":red_circle: :no_such_emoji:", "🔴 :no_such_emoji:"),
        ("one\ntwo", "one<br>two"),
        ("&gt; quoted\nafter", '<span class="quote">quoted</span>after'),
    ],
)
def test_mrkdwn_is_rendered(text: str, html: str) -> None:
    assert mrkdwn(text, READER) == html


def test_links_open_elsewhere_and_may_be_bold() -> None:
    html = mrkdwn('*<https://e.example/?a=1&amp;b="2"|Acme &amp; Sons>*', READER)
    assert html.startswith('<strong><a href="https://e.example/?a=1&amp;b=&#34;2&#34;"')
    assert ">Acme &amp; Sons</a></strong>" in html


def test_dates_are_shown_in_the_readers_time_zone() -> None:
    html = mrkdwn("<!date^1782900000^due {date_short} {time}|later>", READER)
    assert ">due 1 Jul 2026 11:00</time>" in html


@given(st.text(alphabet="<>&|*_~`!@#^:\n\x00ab1\"'", max_size=60))
def test_no_text_can_smuggle_markup_in(text: str) -> None:
    html = str(mrkdwn(text.replace("<@", "<").replace("<#", "<"), READER))
    tags = {tag.split()[0].strip("/") for tag in html.replace(">", "<").split("<")[1::2]}
    assert tags <= {"strong", "em", "del", "code", "pre", "br", "span", "a", "time"}
    assert "\x00" not in html
    assert "<" not in str(plain(text)).replace("<br>", "")
