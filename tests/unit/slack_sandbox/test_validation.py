"""What Slack would refuse is refused, with the place and the reason; what it would take is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.slack_sandbox.validation import (
    block_problems,
    metadata_problem,
    text_total,
    view_problems,
    view_too_large,
)

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(action_id: str = "a", label: str = "Go", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(label), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(value: str = "v", text: str = "Option") -> Json:
    return {"text": plain(text), "value": value}


def options(count: int) -> list[Json]:
    return [option(str(number)) for number in range(count)]


def field(element: Json, block_id: str = "b") -> Json:
    return {"type": "input", "block_id": block_id, "label": plain("Label"), "element": {"action_id": "b", **element}}


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", **more}


def confirm(title: str = "Sure?", text: str = "x", yes: str = "Yes", no: str = "No") -> Json:
    return {"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain(no)}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("Log touch"), "blocks": list(blocks), **more}


ACCEPTED: dict[str, list[Json]] = {
    "longest section": [section("x" * 3_000)],
    "longest header": [{"type": "header", "text": plain("x" * 150)}],
    "ten longest fields": [{"type": "section", "fields": [mrkdwn("x" * 2_000)] * 10}],
    "fifty blocks": [{"type": "divider"}] * 50,
    "25 buttons": [actions(*[button(str(number)) for number in range(25)])],
    "longest button": [actions(button("x" * 255, "x" * 75, value="v" * 2_000, url="https://e.example/" + "x" * 2_900))],
    "same action_id in two blocks": [actions(button("a")), actions(button("a"))],
    "button with confirm": [actions(button(confirm=confirm("t" * 100, "x" * 300, "y" * 30, "n" * 30)))],
    "five options in a menu": [section(accessory={"type": "overflow", "action_id": "o", "options": options(5)})],
    "100 options": [actions(select(options=options(100), initial_option=option("7")))],
    "longest option": [actions(select(options=[option("v" * 150, "t" * 75)]))],
    "context with a picture": [
        {"type": "context", "elements": [{"type": "image", "image_url": "https://e.example/i.png", "alt_text": "i"}]}
    ],
    "emoji and right-to-left text": [section("مرحبا 👋🏽")],
}

REFUSED: dict[str, tuple[list[Any], str, str]] = {
    "empty text": ([section("")], "more than 0", "/blocks/0/text/text"),
    "long section": ([section("x" * 3_001)], "less than 3001", "/blocks/0/text/text"),
    "long field": ([{"type": "section", "fields": [mrkdwn("x" * 2_001)]}], "less than 2001", "/blocks/0/fields/0/text"),
    "eleven fields": ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10", "/blocks/0/fields"),
    "section with nothing": ([{"type": "section"}], "missing required field: text", "/blocks/0"),
    "long header": ([{"type": "header", "text": plain("x" * 151)}], "less than 151", "/blocks/0/text/text"),
    "mrkdwn header": ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn", "/blocks/0/text/type"),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50", "/blocks"),
    "unknown block": ([{"type": "banner"}], "unsupported type: banner", "/blocks/0/type"),
    "unknown key": ([section(colour="red")], "invalid additional property: colour", "/blocks/0"),
    "not an object": (["hello"], "must be an object", "/blocks/0"),
    "no elements": ([actions()], "at least 1", "/blocks/0/elements"),
    "26 buttons": ([actions(*[button(str(n)) for n in range(26)])], "no more than 25", "/blocks/0/elements"),
    "action_id twice in one block": (
        [actions(button("a"), button("a"))],
        "`action_id` a already",
        "/blocks/0/elements",
    ),
    "block_id twice": ([section(block_id="b"), section(block_id="b")], "`block_id` b already", "/blocks"),
    "long action_id": ([actions(button("a" * 256))], "less than 256", "/blocks/0/elements/0/action_id"),
    "long label": ([actions(button(label="x" * 76))], "less than 76", "/blocks/0/elements/0/text/text"),
    "long value": ([actions(button(value="x" * 2_001))], "less than 2001", "/blocks/0/elements/0/value"),
    "style of its own": ([actions(button(style="blue"))], "must be one of", "/blocks/0/elements/0/style"),
    "long confirm": (
        [actions(button(confirm=confirm(yes="x" * 31)))],
        "less than 31",
        "/blocks/0/elements/0/confirm/confirm/text",
    ),
    "six in a menu": (
        [section(accessory={"type": "overflow", "action_id": "o", "options": options(6)})],
        "no more than 5",
        "/blocks/0/accessory/options",
    ),
    "101 options": ([actions(select(options=options(101)))], "no more than 100", "/blocks/0/elements/0/options"),
    "no options": ([actions(select())], "exactly one of `options`", "/blocks/0/elements/0"),
    "foreign initial option": (
        [actions(select(options=options(2), initial_option=option("9")))],
        "initial option must match",
        "/blocks/0/elements/0",
    ),
    "long option": (
        [actions(select(options=[option(text="x" * 76)]))],
        "less than 76",
        "/blocks/0/elements/0/options/0/text/text",
    ),
    "eleven radio buttons": (
        [actions({"type": "radio_buttons", "action_id": "r", "options": options(11)})],
        "no more than 10",
        "/blocks/0/elements/0/options",
    ),
    "input without label": (
        [{"type": "input", "element": {"type": "plain_text_input", "action_id": "b"}}],
        "missing required field: label",
        "/blocks/0",
    ),
    "button as input": ([field(button("b"))], "unsupported type: button", "/blocks/0/element/type"),
    "eleven in a context": (
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10",
        "/blocks/0/elements",
    ),
}


@pytest.mark.parametrize("blocks", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_blocks_at_the_limit_are_taken(blocks: list[Json]) -> None:
    assert block_problems(blocks) == []


@pytest.mark.parametrize(("blocks", "reason", "pointer"), REFUSED.values(), ids=REFUSED.keys())
def test_blocks_beyond_a_limit_are_refused_with_place_and_reason(blocks: list[Any], reason: str, pointer: str) -> None:
    (problem,) = block_problems(blocks)
    assert problem.startswith("[ERROR] ")
    assert reason in problem
    assert problem.endswith(f"[json-pointer:{pointer}]")


TEXT_INPUT = field({"type": "plain_text_input"})


@pytest.mark.parametrize(
    "view",
    [
        modal(section()),
        modal(TEXT_INPUT, submit=plain("Save")),
        modal(*[{"type": "divider"}] * 100, title=plain("x" * 24), close=plain("x" * 24)),
        modal(private_metadata="x" * 3_000, callback_id="x" * 255),
        {"type": "home", "blocks": [section(), TEXT_INPUT]},
    ],
)
def test_views_within_the_limits_are_taken(view: Json) -> None:
    assert view_problems(view) == []


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (modal(TEXT_INPUT), "must define `submit`"),
        (modal(title=plain("x" * 25)), "less than 25"),
        (modal(submit=plain("x" * 25)), "less than 25"),
        (modal(title=mrkdwn("x")), "unsupported type: mrkdwn"),
        ({"type": "modal", "blocks": []}, "missing required field: title"),
        (modal(*[{"type": "divider"}] * 101), "no more than 100"),
        (modal(private_metadata="x" * 3_001), "less than 3001"),
        (modal(field({"type": "plain_text_input", "max_length": 3_001}), submit=plain("Save")), "between 1 and 3000"),
        (modal(field({"type": "datepicker", "initial_date": "21/11/2026"}), submit=plain("Save")), "YYYY-MM-DD"),
        (modal({"type": "section", "text": plain("")}), "json-pointer:/view/blocks/0/text/text"),
        ("a string", "must be an object"),
    ],
)
def test_views_beyond_the_limits_are_refused(view: Any, reason: str) -> None:
    (problem,) = view_problems(view)
    assert reason in problem


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"event_type": "loop_delivery", "event_payload": {"d": "1"}}, None),
        ({}, None),
        ({"event_type": "loop_delivery"}, "invalid_metadata_format"),
        ({"event_type": "", "event_payload": {}}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": "d"}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": {}, "extra": 1}, "invalid_metadata_format"),
        ("loop_delivery", "invalid_metadata_format"),
    ],
)
def test_metadata_is_an_event_type_and_an_event_payload(metadata: Any, error: str | None) -> None:
    assert metadata_problem(metadata) == error


def test_all_text_of_a_card_counts_towards_its_total() -> None:
    card = [section("12345"), {"type": "section", "fields": [mrkdwn("12"), mrkdwn("3")]}, actions(button(label="1234"))]
    assert text_total(card) == 12


def test_a_view_is_measured_in_bytes() -> None:
    assert not view_too_large(modal(*[section("x" * 2_400)] * 100))
    assert view_too_large(modal(*[section("é" * 2_400)] * 100))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["section", "actions", "modal"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "blocks", "elements", "block_id", "title", "options", "element", "value"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(ANYTHING)
def test_no_json_whatever_upsets_the_validator(junk: Any) -> None:
    assert all(problem.startswith("[ERROR] ") for problem in (*block_problems(junk), *view_problems(junk)))


@given(
    text=st.text(min_size=1, max_size=3_000),
    labels=st.lists(st.text(min_size=1, max_size=75), min_size=1, max_size=25),
    position=st.integers(min_value=0),
    excess=st.integers(min_value=1, max_value=100),
)
def test_one_long_label_spoils_a_good_card_and_is_pointed_at(
    text: str, labels: list[str], position: int, excess: int
) -> None:
    card = [section(text), actions(*[button(str(number), label) for number, label in enumerate(labels)])]
    assert block_problems(card) == []
    wrong = position % len(labels)
    card[1]["elements"][wrong]["text"]["text"] = "x" * (75 + excess)
    (problem,) = block_problems(card)
    assert f"/blocks/1/elements/{wrong}/text/text" in problem
