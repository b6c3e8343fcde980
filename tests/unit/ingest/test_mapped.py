"""A tool that we do not know, described by an administrator: what is taken, what is refused, what must hold first."""

import json
from typing import Any

import pytest

from services.ingest.authentication import authenticate
from services.ingest.sources import sources_of
from services.ingest.sources.base import InvalidSignature, Outcome, Translation, Unprocessable, WebhookRequest
from services.ingest.sources.json_path import json_path
from services.ingest.sources.options import parse_options
from services.ingest.switchboard import open_sources
from services.ingest.trial import try_body
from shared.errors import ConfigurationError
from shared.events.catalog import TicketChanged
from shared.policy import Policy
from shared.settings import Settings
from tests.support.ingest import NOW, running_ingest
from tests.support.payloads import sample

SIMPLE = {"metric": "csat", "score": "$.score", "record_id": "$.id"}
EXAMPLE = {"body": {"id": "r", "score": 2}, "expected": {"normalised_score": 2, "record_id": "r"}}
LIVE = {**SIMPLE, "examples": [EXAMPLE]}


def translate(document: Any, table: dict[str, Any], name: str = "mapped", **headers: str) -> Translation:
    source = sources_of({name: {"kind": "mapped", **table}})[name]
    options, unknown = parse_options(source, table)
    assert not unknown
    return source.translate(WebhookRequest("POST", "", headers, json.dumps(document).encode(), {}), options, NOW)


def one(translation: Translation) -> Any:
    (event,) = translation.events
    return event


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("$", {"a": {"b c": [1, {"d": 0}]}, "e": None}),
            ("$.a['b c'][1].d", 0),
            ("$.a['b c'][-1].d", 0),
            ("$.a['b c'][2]", None),
            ("$.a['b c'].d", None),
            ("$.e.f", None),
            ("$['a']", {"b c": [1, {"d": 0}]}),
        ],
    )
    def test_a_plain_path_finds_one_place_or_nothing(self, path: str, found: Any) -> None:
        assert json_path(path).read({"a": {"b c": [1, {"d": 0}]}, "e": None}) == found

    @pytest.mark.parametrize(
        "path",
        ["$..a", "$.a.*", "$.a[*]", "$.a[0:2]", "$.a[?@.b == 1]", "$[?match(@.a, '(a+)+$')]", "$.a['b','c']", "a.b",
         "$.a | $.b", "^.a", "", "$.a[", 5, "$" + ".a" * 400, "$" + "[?" * 150],
        ids=lambda path: str(path)[:20],
    )  # fmt: skip
    def test_whatever_may_find_more_or_computes_is_refused_at_start(self, path: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"sources\.mapped\.score"):
            translate({}, {**SIMPLE, "score": path})


class TestScores:
    @pytest.mark.parametrize(
        ("table", "raw", "normalised"),
        [
            ({}, 2, 2),
            ({}, "4.5", 4.5),
            ({"scale": [0, 2]}, 0, 1),
            ({"scale": {"min": 1, "max": 5, "reversed": True}}, 1, 5),
            ({"metric": "nps"}, 0, 0),
            ({"metric": "nps", "scale": [1, 11]}, 11, 10),
            ({"csat_scale": [1, 3]}, 2, 3),
            ({"scale": {"words": {"Gut": 5, "schlecht": 1}}}, " GUT ", 5),
            ({"scale": {"words": {"1": 5, "2": 1}}}, 2, 1),
        ],
    )
    def test_scale_and_direction_are_the_administrators(self, table: Any, raw: Any, normalised: float) -> None:
        assert one(translate({"id": 1, "score": raw}, {**SIMPLE, **table})).normalised_score == normalised

    @pytest.mark.parametrize("raw", [None, "", "null", "keine"])
    def test_no_answer_is_no_score(self, raw: Any) -> None:
        words = {"scale": {"words": {"gut": 5, "keine": "none"}}}
        found = translate({"id": 1, "score": raw}, {**SIMPLE, **words})
        assert (found.outcome, found.reason) == (Outcome.IGNORE, "The body has no score.")

    @pytest.mark.parametrize("raw", [6, -1, "gut", True, [], {}, 10**400, "9" * 5000])
    @pytest.mark.parametrize("table", [{}, {"scale": {"words": {"prima": 5}}}])
    def test_a_score_outside_its_scale_is_refused(self, raw: Any, table: Any) -> None:
        with pytest.raises(Unprocessable, match="score"):
            translate({"id": 1, "score": raw}, {**SIMPLE, **table})

    def test_the_metric_may_stand_in_the_body(self) -> None:
        table = {**SIMPLE, "metric": "$.kind", "ces_scale": [1, 5]}
        assert one(translate({"id": 1, "kind": "CES", "score": 5}, table)).normalised_score == 7
        with pytest.raises(Unprocessable, match="metric"):
            translate({"id": 1, "kind": "joy", "score": 5}, table)


class TestOtherFields:
    def test_a_withdrawn_answer_is_withdrawn_and_needs_no_score(self) -> None:
        table = {**SIMPLE, "withdrawn": {"path": "$.event", "is": ["deleted"]}, "only": {"path": "$.id", "is": [7]}}
        event = one(translate({"id": 7, "event": "Deleted"}, table))
        assert (event.withdrawn, event.normalised_score, event.metric) == (True, None, "csat")
        assert translate({"id": 8, "score": 3}, table).outcome is Outcome.IGNORE

    @pytest.mark.parametrize(
        ("form", "value", "hour"),
        [("iso", "2026-03-02T11:00:00+01:00", 10), ("epoch_s", 1772445600, 10), ("epoch_ms", "1772445600000", 10)],
    )
    def test_times_in_each_format(self, form: str, value: Any, hour: int) -> None:
        table = {**SIMPLE, "occurred_at": "$.at", "time_format": form}
        assert one(translate({"id": 1, "score": 3, "at": value}, table)).occurred_at.hour == hour
        for odd in ([], True, "yesterday", 10**400):
            with pytest.raises(Unprocessable, match="at"):
                translate({"id": 1, "score": 3, "at": odd}, table)

    def test_the_delivery_is_known_by_its_header_its_id_or_its_body(self) -> None:
        body = {"id": 1, "score": 3, "d": 2**63}
        named = {**SIMPLE, "delivery_id": "$.d", "delivery_header": "X-Delivery"}
        assert one(translate(body, named, **{"x-delivery": "h"})).unique_id == "h"
        assert one(translate(body, named)).unique_id == str(2**63)
        assert one(translate(body, SIMPLE)).unique_id == one(translate(body, SIMPLE)).unique_id
        assert one(translate(body, SIMPLE)).unique_id != one(translate(body | {"score": 2}, SIMPLE)).unique_id

    def test_a_ticket_without_a_score_is_the_ticket(self) -> None:
        table = {**SIMPLE, "ticket_id": "$.nr", "ticket_status": "$.state", "status_text_map": {"zu": "closed"}}
        event = one(translate({"nr": 5, "state": "Zu"}, table))
        assert isinstance(event, TicketChanged)
        assert (event.ticket_id, event.ticket_status) == ("5", "closed")

    @pytest.mark.parametrize("wrong", [[], {}, True, 10**400])
    def test_what_is_no_text_is_refused_by_its_path(self, wrong: Any) -> None:
        with pytest.raises(Unprocessable, match=r"\$\.who"):
            translate({"id": 1, "score": 3, "who": wrong}, {**SIMPLE, "requester_name": "$.who"})

    @pytest.mark.parametrize(
        "table",
        [{"metric": "joy"}, {"scale": {"words": {}}}, {"scale": {"words": {"a": 11}}},
         {"scale": {"words": {"a": True}}},
         {"only": {"path": "$.a"}}, {"only": {"path": "$.*", "is": ["a"]}}, {"account": {"vendor": "$.a"}},
         {"account": {"domain": "$..a"}}, {"signature": {"algorithm": "sha256"}}, {"time_format": "rfc822"},
         {"signature": {"header": "x", "algorithm": "md5"}}, {"examples": [{"body": "{}"}]}, {"examples": {}},
         {"examples": [{"body": 5, "expected": "ignored"}]}, {"token_in_query": "yes"}],
        ids=str,
    )  # fmt: skip
    def test_malformed_options_stop_the_start(self, table: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"sources\.mapped\."):
            translate({}, {**SIMPLE, **table})


class TestProof:
    @staticmethod
    def opened(table: dict[str, Any], name: str = "mapped") -> Any:
        settings = Settings(_env_file=None, sources={name: {"secret": "s"}})
        return open_sources(settings, Policy(sources={name: table}))

    def test_what_holds_goes_live_under_its_own_name(self) -> None:
        assert set(self.opened(LIVE)) == {"mapped"}
        assert set(self.opened({"kind": "mapped", **LIVE}, "simplesat")) == {"simplesat"}
        assert one(translate({"id": 1, "score": 3}, SIMPLE, "simplesat")).source == "simplesat"

    @pytest.mark.parametrize(
        ("table", "words"),
        [
            ({}, "metric, score, record_id must be given"),
            (SIMPLE, "add a worked example"),
            ({**LIVE, "scale": [1, 10]}, "example 1: normalised_score is 1.44, expected 2"),
            ({**LIVE, "record_id": "$.nr"}, "example 1: it is refused: record_id is missing"),
            ({**LIVE, "only": {"path": "$.e", "is": "x"}}, "example 1: it is ignored: "),
            ({**LIVE, "metric": "nps", "scale": {"words": {"a": 4}}}, "example 1: it is refused: score: nps 2"),
            ({**LIVE, "scale": {"words": {"a": 9}}}, "a must stand for a csat of 1 to 5"),
            ({**LIVE, "examples": [EXAMPLE | {"expected": {"skore": 2}}]}, "there is no field skore"),
            (
                {**LIVE, "examples": [EXAMPLE | {"name": "a ping", "expected": "ignored"}]},
                "a ping: it becomes an event",
            ),
            ({**LIVE, "examples": [EXAMPLE | {"body": "{"}]}, "it is refused: The body is not JSON"),
        ],
    )
    def test_what_does_not_hold_stops_the_start_and_says_where(self, table: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^sources\.mapped: ") as error:
            self.opened(table)
        assert words in str(error.value)

    def test_examples_may_be_of_what_is_refused_or_left_out(self) -> None:
        refused, ignored = ({"body": {"id": 1, "score": score}, "expected": say} for score, say in
                            ((9, "refused"), (None, "ignored")))  # fmt: skip
        assert self.opened({**LIVE, "examples": [refused, ignored]})

    @pytest.mark.parametrize("name", ["zendesk", "events", "Simplesat", "a-b", "x__y", "1st", "a" * 90])
    def test_a_name_that_is_taken_or_that_no_setting_can_have_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"sources.{name}"):
            sources_of({name: {"kind": "mapped"}})

    def test_a_trial_shows_what_it_gives_although_an_example_fails(self) -> None:
        policy = Policy(sources={"mapped": {**LIVE, "scale": [1, 10]}})
        tried = try_body("mapped", b'{"id": 1, "score": 10}', {}, policy, NOW)
        assert (tried.outcome, tried.events[0]["normalised_score"]) == ("accept", 5)
        assert tried.unproven == ("example 1: normalised_score is 1.44, expected 2",)


class TestSecrets:
    @pytest.mark.parametrize("secrets", [["test-mapped-secret"], ["new", "test-mapped-secret"]])
    def test_a_described_signature_is_required(self, secrets: list[str]) -> None:
        found = sample("mapped", "smiley")
        source = sources_of({})["mapped"]
        options, _ = parse_options(source, found.options)

        def ask(**headers: str) -> None:
            authenticate(source, WebhookRequest("POST", "", headers, found.body, {}), secrets, options, NOW)

        ask(**found.headers)
        bare = found.headers["x-fjord-signature"].removeprefix("v1=")
        for headers in ({"x-fjord-signature": wrong} for wrong in ("v1=AAAA", bare, "v1=\ud800", "")):
            with pytest.raises(InvalidSignature):
                ask(**headers)
        for headers in ({}, {"x-closeloop-token": secrets[0]}):
            with pytest.raises(InvalidSignature):
                ask(**headers)

    async def test_a_named_source_is_delivered_to_by_token_and_by_query_where_that_is_wanted(self) -> None:
        table = {"kind": "mapped", **LIVE}
        for extra, in_query in (({}, 401), ({"token_in_query": True}, 202)):
            async with running_ingest(secrets={"simplesat": "s"}, options={"simplesat": table | extra}) as ingest:
                body, url = {"id": "r", "score": 1}, "/v1/webhooks/simplesat"
                assert (await ingest.http.get(url)).status_code == 200
                answer = await ingest.http.post(url, json=body, headers={"authorization": "Bearer s"})
                assert answer.status_code == 202
                assert (await ingest.http.post(url, json=body)).status_code == 401
                assert (await ingest.http.post(f"{url}?token=s", json=body)).status_code == in_query
                assert ingest.log.of("feedback.received")[0].key == b"simplesat:r"
