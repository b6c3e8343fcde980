"""The turns of the vendors beyond the first five."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.guides import GUIDES
from services.ingest.signatures import InvalidSignature
from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from services.ingest.sources.xml import parse_xml
from shared.errors import ConfigurationError
from shared.events.catalog import SurveyResponded, TicketChanged
from tests.support.ingest import NOW, running_ingest, secret_of
from tests.support.payloads import Sample, sample
from tests.support.signing import PUBLIC_URL, qualtrics_form, sign


def translate(source: str, document: Any, options: dict[str, Any] | None = None, **headers: str) -> Translation:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    parsed, unknown = parse_options(BY_NAME[source], options or {})
    assert not unknown
    return BY_NAME[source].translate(WebhookRequest("POST", "", headers, body, {}), parsed, NOW)


def given(source: str, file: str) -> tuple[Sample, Any]:
    found = sample(source, file)
    return found, json.loads(found.body)


def refused(source: str, document: Any) -> Unprocessable:
    with pytest.raises(Unprocessable) as wrong:
        translate(source, document)
    return wrong.value


def one(translation: Translation) -> Any:
    (event,) = translation.events
    return event


class TestChatwoot:
    def test_rating_and_feedback_in_two_updates_are_one_record(self) -> None:
        found, body = given("chatwoot", "message_updated")
        csat = body["content_attributes"]["submitted_values"]["csat_survey_response"]
        whole = one(translate("chatwoot", body))
        csat["feedback_message"] = None
        bare = one(translate("chatwoot", body))
        assert (bare.record_id, bare.comment) == (whole.record_id, None)
        assert bare.unique_id != whole.unique_id
        assert found.expected[0]["record_id"] == bare.record_id

    @pytest.mark.parametrize("content", [{}, {"submitted_values": {}}, {"submitted_values": None}, None])
    def test_a_survey_that_was_only_sent_is_ignored(self, content: Any) -> None:
        _, body = given("chatwoot", "message_updated")
        assert translate("chatwoot", body | {"content_attributes": content}).outcome is Outcome.IGNORE

    def test_other_messages_are_ignored_whatever_they_hold(self) -> None:
        assert translate("chatwoot", {"event": "message_updated", "content_type": "text", "conversation": 5}).reason

    def test_without_a_delivery_id_a_conversation_resolved_twice_is_two_events(self) -> None:
        _, body = given("chatwoot", "status_of")
        first, again = one(translate("chatwoot", body)), one(translate("chatwoot", body))
        second = one(translate("chatwoot", body | {"timestamp": 1772449999}))
        assert first.unique_id == again.unique_id
        assert second.unique_id != first.unique_id
        assert second.occurred_at > first.occurred_at

    def test_a_reopened_conversation_is_open(self) -> None:
        _, body = given("chatwoot", "conversation_status")
        assert one(translate("chatwoot", body | {"status": "open"})).ticket_status == "open"


class TestHelpScout:
    @pytest.mark.parametrize(
        ("value", "category", "metric", "score"),
        [
            ("0", "detractor", "nps", 0),
            ("9", "passive", "nps", 9),
            ("Sad", None, "csat", 1),
            ("thumbs-up", None, "csat", 5),
        ],
    )
    def test_surveys_are_told_apart_by_their_category_and_words(
        self, value: str, category: str | None, metric: str, score: float
    ) -> None:
        _, body = given("helpscout", "message_survey")
        body["response"] |= {"value": value, "category": category}
        response = one(translate("helpscout", body, **{"x-helpscout-event": "message.survey.response.received"}))
        assert (response.metric, response.normalised_score) == (metric, score)

    @pytest.mark.parametrize("value", [None, "", "because of the price"])
    def test_text_is_no_score(self, value: Any) -> None:
        _, body = given("helpscout", "message_survey")
        body["response"] |= {"value": value, "category": None}
        found = translate("helpscout", body, **{"x-helpscout-event": "message.survey.response.received"})
        assert found.outcome is Outcome.IGNORE

    def test_a_rating_outside_its_words_is_refused(self) -> None:
        _, body = given("helpscout", "satisfaction")
        with pytest.raises(Unprocessable, match="Bad, Okay, Great"):
            translate("helpscout", body | {"rating": "Meh"}, **{"x-helpscout-event": "satisfaction.ratings"})

    def test_spam_is_ignored_and_the_event_must_be_named(self) -> None:
        _, body = given("helpscout", "convo")
        assert not translate("helpscout", body | {"status": "spam"}, **{"x-helpscout-event": "convo.status"}).events
        with pytest.raises(Unprocessable, match="x-helpscout-event"):
            translate("helpscout", body)


class TestFreshdesk:
    @pytest.mark.parametrize(
        ("code", "score"),
        [(103, 5), ("102", 4.33), (101, 3.67), (100, 3), (-101, 2.33), (-102, 1.67), (-103, 1)],
    )
    def test_codes_are_ranks(self, code: Any, score: float) -> None:
        _, body = given("freshdesk", "satisfaction")
        body["ratings"]["default_question"] = code
        assert one(translate("freshdesk", body)).normalised_score == score

    @pytest.mark.parametrize("code", [0, 5, 104, "good", True])
    def test_other_codes_are_refused(self, code: Any) -> None:
        _, body = given("freshdesk", "satisfaction")
        body["ratings"]["default_question"] = code
        with pytest.raises(Unprocessable, match="default_question"):
            translate("freshdesk", body)

    @pytest.mark.parametrize(("word", "ours"), [("Closed", "closed"), (4, "solved"), ("Erledigt", "solved")])
    def test_statuses_are_words_codes_or_mapped(self, word: Any, ours: str) -> None:
        _, body = given("freshdesk", "status")
        body["freshdesk_webhook"]["ticket_status"] = word
        assert one(translate("freshdesk", body, {"status_text_map": {"Erledigt": "solved"}})).ticket_status == ours


class TestForms:
    def test_each_mapped_score_is_a_response_and_the_first_keeps_the_plain_id(self) -> None:
        found, body = given("typeform", "form_response")
        answer = {"type": "number", "number": 2, "field": {"id": "x", "type": "rating", "ref": "csat_stars"}}
        body["form_response"]["answers"].append(answer)
        nps, csat = translate("typeform", body, found.options).events
        assert (nps.record_id, nps.metric) == (found.expected[0]["record_id"], "nps")
        assert (csat.record_id, csat.metric, csat.normalised_score) == (f"{nps.record_id}:csat_stars", "csat", 2)
        assert nps.unique_id == csat.unique_id

    def test_without_options_the_nps_question_is_found_by_its_type(self) -> None:
        _, body = given("typeform", "form_response")
        response = one(translate("typeform", body))
        assert (response.metric, response.comment) == ("nps", "It's cold right now!")

    def test_a_form_without_a_score_is_ignored_with_advice(self) -> None:
        _, body = given("typeform", "form_response")
        body["form_response"]["answers"] = []
        assert "`scores`" in (translate("typeform", body).reason or "")
        found, body = given("formbricks", "response_finished")
        assert "`questions`" in (translate("formbricks", body).reason or "")
        body["data"]["data"]["q_csat"] = 9
        with pytest.raises(Unprocessable, match="scale 1 to 5"):
            translate("formbricks", body, found.options)

    def test_scores_of_one_response_stay_apart_while_it_is_filled_in(self) -> None:
        found, body = given("formbricks", "updated_with_nps")
        (nps,) = translate("formbricks", body, found.options).events
        body["data"]["data"]["q_csat"] = 2
        csat, again = translate("formbricks", body, found.options).events
        assert (nps.record_id, csat.record_id) == ("cm9resp00000000000000002", "cm9resp00000000000000002")
        assert (csat.metric, again.metric) == ("csat", "nps")
        assert again.key == nps.key != csat.key

    def test_choices_are_mapped_by_their_words(self) -> None:
        words = {"Very good": 5, "Okay": 3, "Poor": 1, "Can't say": "none"}
        _, body = given("typeform", "choice_and_scale")
        options = {"scores": {"csat_stars": {"metric": "csat", "words": words}}}
        for label, score in (("poor ", 1), ("Okay", 3), ("Can't say", None)):
            body["form_response"]["answers"][0]["choice"]["label"] = label
            events = translate("typeform", body, options).events
            assert [event.normalised_score for event in events] == ([] if score is None else [score])
        body["form_response"]["answers"][0]["choice"]["label"] = "Superb"
        with pytest.raises(Unprocessable, match="outside its scale"):
            translate("typeform", body, options)
        found, body = given("formbricks", "response_finished")
        body["data"]["data"]["q_csat"] = "Poor"
        mapped = {**found.options, "questions": {"q_csat": {"metric": "csat", "words": words}}}
        assert one(translate("formbricks", body, mapped)).normalised_score == 1

    @pytest.mark.parametrize(
        ("source", "options"),
        [
            ("typeform", {"scores": {"q": {"metric": "csat", "words": {"Good": 9}}}}),
            ("typeform", {"scores": {"q": {"metric": "csat", "words": {"Good": 5}, "min": 1}}}),
            ("typeform", {"scores": {"q": {"metric": "csat", "words": []}}}),
            ("typeform", {"scores": {"q": {"metric": "joy"}}}),
            ("typeform", {"scores": {"q": {"metric": "csat", "min": 1}}}),
            ("typeform", {"scores": ["q"]}),
            ("formbricks", {"questions": {"q": {"role": "score"}}}),
            ("asknicely", {"metric": "joy"}),
            ("hubspot", {"closed_stage_ids": "4"}),
        ],
    )
    def test_malformed_options_stop_the_start(self, source: str, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=rf"sources\.{source}\."):
            parse_options(BY_NAME[source], options)


class TestThin:
    @pytest.mark.parametrize("kind", ["response_disqualified", "survey_created"])
    def test_surveymonkey_events_without_answers_are_ignored(self, kind: str) -> None:
        _, body = given("surveymonkey", "response")
        assert translate("surveymonkey", body | {"event_type": kind}).outcome is Outcome.IGNORE

    def test_qualtrics_signs_inside_the_form(self) -> None:
        source = BY_NAME["qualtrics"]
        message = '{"Status":"Complete","ResponseID":"R_1","SurveyID":"SV_1"}'
        good = qualtrics_form(message, "key")
        bad = good.replace(b"R_1", b"R_2")
        source.verify(WebhookRequest("POST", "", {}, good, {}), ["old", "key"], {}, NOW)
        for body in (bad, b"MSG=%7B%7D", b"", b"\xff=1", b"HMAC=zz&MSG=", b"&".join([b"a=1"] * 200)):
            with pytest.raises(InvalidSignature):
                source.verify(WebhookRequest("POST", "", {}, body, {}), ["key"], {}, NOW)
        assert translate("qualtrics", good).outcome is Outcome.ACCEPT_ENRICH
        partial = qualtrics_form(message.replace("Complete", "Partial"), "key")
        assert translate("qualtrics", partial).outcome is Outcome.IGNORE
        with pytest.raises(Unprocessable):
            translate("qualtrics", qualtrics_form("c2VjcmV0", "key"))

    def test_qualtrics_without_a_key_needs_the_option_and_the_token(self) -> None:
        source = BY_NAME["qualtrics"]
        request = WebhookRequest("POST", "", {}, b"Status=Complete&ResponseID=R_1", {"token": "t"})
        source.verify(request, ["t"], {"unsigned": True}, NOW)
        with pytest.raises(InvalidSignature):
            source.verify(request, ["t"], {}, NOW)

    def test_qualtrics_events_of_other_topics_are_ignored(self) -> None:
        body = qualtrics_form('{"SurveyID":"SV_1","BrandID":"acme"}', "key")
        assert "ResponseID" in str(refused("qualtrics", body))
        other = body.replace(b"acme.completedResponse", b"acme.controlpanel.activateSurvey")
        assert translate("qualtrics", other).outcome is Outcome.IGNORE


class TestHubspot:
    def test_a_stage_that_is_not_closed_reopens_and_a_deletion_deletes(self) -> None:
        _, body = given("hubspot", "ticket_property")
        reopened = body[0] | {"propertyValue": "2"}
        deleted = {key: value for key, value in body[0].items() if "property" not in key} | {
            "subscriptionType": "object.deletion",
            "objectTypeId": "0-5",
        }
        statuses = [event.ticket_status for event in translate("hubspot", [reopened, deleted]).events]
        assert statuses == ["open", "deleted"]

    @pytest.mark.parametrize("at", ["2026-03-02T10:59:30.883Z", "1772449170883", None])
    def test_a_submissions_time_is_read_as_its_workflow_writes_it(self, at: str | None) -> None:
        _, body = given("hubspot", "feedback")
        body["properties"]["hs_submission_timestamp"] = at
        later = {"hour": 10, "minute": 59, "second": 30 if at else 31, "microsecond": 883_000 if at else 0}
        assert one(translate("hubspot", body)).occurred_at == datetime(2026, 3, 2, tzinfo=UTC).replace(**later)

    def test_a_new_submission_is_thin(self) -> None:
        _, body = given("hubspot", "ticket_property")
        created = body[1] | {"subscriptionType": "object.creation", "objectTypeId": "0-19"}
        translation = translate("hubspot", [created])
        assert translation.outcome is Outcome.ACCEPT_ENRICH
        assert (one(translation).metric, one(translation).normalised_score) == ("none", None)

    def test_one_bad_element_costs_only_itself(self) -> None:
        _, body = given("hubspot", "ticket_property")
        translation = translate("hubspot", [body[0] | {"objectId": None}, 5, body[0]])
        assert len(translation.events) == 1
        assert [one.position for one in translation.rejected] == [0, 1]
        assert translate("hubspot", []).outcome is Outcome.IGNORE

    async def test_the_signature_covers_the_public_address_as_called(self) -> None:
        found = sample("hubspot", "ticket_property")
        secrets, options = {"hubspot": found.secret or ""}, {"hubspot": found.options}
        public = "https://cx.example/closeloop"
        async with running_ingest(secrets=secrets, options=options, now=found.at, public_url=public) as ingest:
            for query in ("", "?src=hs", "?dry_run=true"):
                url = f"{public}/v1/webhooks/hubspot{query}"
                headers = sign("hubspot", found.body, found.secret or "", found.at, url=url)
                # Behind the proxy we are called by another name and without its prefix.
                inner = f"http://10.0.0.7/v1/webhooks/hubspot{query}"
                answer = await ingest.http.post(inner, content=found.body, headers=headers)
                assert answer.status_code == (200 if "dry_run" in query else 202)
                answer = await ingest.http.post(
                    inner + "?x" if not query else inner + "&x", content=found.body, headers=headers
                )
                assert answer.status_code == 401


class TestJira:
    def test_the_status_must_be_in_the_changelog(self) -> None:
        found, body = given("jira", "issue_updated_done")
        body["changelog"]["items"] = body["changelog"]["items"][:1]
        assert translate("jira", body, found.options).outcome is Outcome.IGNORE

    def test_status_and_satisfaction_in_one_change_are_both(self) -> None:
        found, body = given("jira", "issue_updated_satisfaction")
        body["changelog"]["items"].append({"field": "status", "fieldId": "status"})
        ticket, response = translate("jira", body, found.options).events
        assert isinstance(ticket, TicketChanged)
        assert isinstance(response, SurveyResponded)

    def test_a_reopened_issue_is_open_and_its_address_is_known_without_the_option(self) -> None:
        _, body = given("jira", "issue_updated_done")
        body["issue"]["fields"]["status"]["statusCategory"]["key"] = "indeterminate"
        ticket = one(translate("jira", body))
        assert (ticket.ticket_status, ticket.ticket_url) == ("open", "https://acme.atlassian.net/browse/SUP-812")

    def test_without_its_field_a_rating_says_which_option_is_missing(self) -> None:
        _, body = given("jira", "issue_updated_satisfaction")
        assert "satisfaction_field" in (translate("jira", body, {}).reason or "")

    def test_data_center_names_the_field_in_words_of_its_language(self) -> None:
        found, body = given("jira", "datacenter")
        body["changelog"]["items"][0]["field"] = "Zufriedenheit"
        assert not translate("jira", body, found.options).events
        named = {**found.options, "satisfaction_name": "zufriedenheit"}
        assert one(translate("jira", body, named)).normalised_score == 2

    def test_a_cleared_satisfaction_is_no_score(self) -> None:
        found, body = given("jira", "issue_updated_satisfaction")
        body["issue"]["fields"]["customfield_10105"] = None
        assert translate("jira", body, found.options).outcome is Outcome.IGNORE


class TestFront:
    async def test_the_app_webhook_answers_the_challenge_of_its_first_call(self) -> None:
        body = b'{"type":"sync","authorization":{"id":"cmp_1"}}'
        async with running_ingest("front") as ingest:
            headers = sign("front", body, secret_of("front"), NOW) | {"x-front-challenge": "abc123"}
            answer = await ingest.http.post("/v1/webhooks/front", content=body, headers=headers)
            assert (answer.status_code, answer.text) == (200, "abc123")
            ingest.clock.advance(timedelta(hours=1))
            assert (await ingest.http.post("/v1/webhooks/front", content=body, headers=headers)).status_code == 401

    def test_rule_webhooks_are_signed_as_javascript_spells_them(self) -> None:
        found = sample("front", "archive")
        pretty = json.dumps(json.loads(found.body), indent=2, ensure_ascii=False).encode()
        request = WebhookRequest("POST", "", found.headers, pretty, {})
        BY_NAME["front"].verify(request, [found.secret or ""], {}, NOW)

    def test_an_app_webhook_has_its_event_inside(self) -> None:
        found, body = given("front", "archive")
        assert translate("front", {"type": "archive", "payload": body}).events == translate("front", body).events
        assert translate("front", body | {"type": "reopen"}).events[0].ticket_status == "open"
        assert translate("front", body | {"type": "comment"}).outcome is Outcome.IGNORE
        assert found.outcome == "accept"


class TestZammad:
    def test_a_ticket_closed_again_happened_when_it_changed_not_when_it_first_closed(self) -> None:
        _, body = given("zammad", "ticket")
        body["ticket"]["updated_at"] = "2026-03-05T11:00:00Z"
        assert one(translate("zammad", body)).occurred_at.day == 5

    def test_nobodys_ticket_has_no_assignee_and_custom_states_are_mapped(self) -> None:
        _, body = given("zammad", "ticket")
        body["ticket"] |= {"owner": {"id": 1, "firstname": "-", "email": ""}, "state": {"id": 9, "name": "Erledigt"}}
        ticket = one(translate("zammad", body, {"status_text_map": {"erledigt": "solved"}}))
        assert (ticket.assignee, ticket.ticket_status) == (None, "solved")


class TestSalesforce:
    async def test_it_is_acknowledged_in_soap_and_may_bring_its_token_in_the_query(self) -> None:
        body = sample("salesforce", "outbound").body
        headers = {"content-type": "text/xml; charset=utf-8"}
        async with running_ingest("salesforce") as ingest:
            url = f"{PUBLIC_URL}/v1/webhooks/salesforce?token="
            answer = await ingest.http.post(url + secret_of("salesforce"), content=body, headers=headers)
            assert answer.status_code == 200
            assert "<Ack>true</Ack>" in answer.text
            assert answer.headers["content-type"].startswith("text/xml")
            assert len(ingest.log.of("tickets.changed")) == 1
            for query in ("", "nope"):
                assert (await ingest.http.post(url + query, content=body, headers=headers)).status_code == 401
            json_headers = headers | {"content-type": "application/json"}
            wrong = await ingest.http.post(url + secret_of("salesforce"), content=body, headers=json_headers)
            assert wrong.status_code == 415

    def test_many_notifications_are_taken_and_duplicates_share_their_id(self) -> None:
        body = sample("salesforce", "outbound").body
        start, end = body.index(b"<Notification>"), body.index(b"</Notification>") + len(b"</Notification>")
        twice = body[:end] + body[start:end].replace(b"04l8d00002nrC5BAAU", b"04l8d00002nrC5BAAV") + body[end:]
        assert len(translate("salesforce", twice).events) == 2

    def test_only_cases_are_tickets_and_a_closed_one_may_say_so_by_number(self) -> None:
        body = sample("salesforce", "outbound").body
        other = body.replace(b'"sf:Case"', b'"sf:My_Case"')
        assert other != body
        assert translate("salesforce", other).outcome is Outcome.IGNORE
        numbered = body.replace(b">true<", b">1<").replace(b">Closed<", b">Erledigt<")
        assert one(translate("salesforce", numbered)).ticket_status == "closed"

    def test_another_organisation_is_refused(self) -> None:
        with pytest.raises(Unprocessable, match="another organisation"):
            translate("salesforce", sample("salesforce", "outbound").body, {"organization_id": "00D000000000000AAA"})

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DTD"),
            (b'<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>', "DTD"),
            (b'<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>', "DTD"),
            ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "DTD"),
            (b"<a>" * 100_000, "deeply"),
            (b"<a>&undefined;</a>", "not XML"),
            (b'<?xml version="1.0" encoding="x-none"?><a/>', "not XML"),
            (b"<a><b></a>", "not XML"),
            (b"<a>\xff</a>", "not XML"),
            (b"", "not XML"),
            (b"{}", "not XML"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_dangerous_and_broken_xml_is_refused(self, body: bytes, reason: str) -> None:
        with pytest.raises(Unprocessable, match=reason):
            parse_xml(body)
        with pytest.raises(Unprocessable):
            translate("salesforce", body)


class TestSharedSecretOnly:
    @pytest.mark.parametrize("name", ["freshdesk", "gorgias", "asknicely"])
    async def test_vendors_that_do_not_sign_bring_the_secret_in_a_header_only(self, name: str) -> None:
        async with running_ingest(name) as ingest:
            url, secret = f"/v1/webhooks/{name}", secret_of(name)
            ways = ({"authorization": f"Bearer {secret}"}, {"x-closeloop-token": secret})
            for headers in ways:
                assert (await ingest.http.post(url, content=b"{}", headers=headers)).status_code == 422
            assert (await ingest.http.post(url, content=b"{}", auth=("anybody", secret))).status_code == 422
            assert (await ingest.http.post(f"{url}?token={secret}", content=b"{}")).status_code == 401
            assert (await ingest.http.post(url, content=b"{}", auth=(secret, "anybody"))).status_code == 401

    def test_a_survey_sent_and_not_answered_leaves_the_ticket(self) -> None:
        _, body = given("gorgias", "ticket")
        body["ticket"]["satisfaction_survey"]["score"] = None
        assert isinstance(one(translate("gorgias", body)), TicketChanged)
        body["ticket"]["satisfaction_survey"] = None
        assert isinstance(one(translate("gorgias", body)), TicketChanged)

    @pytest.mark.parametrize("name", ["freshdesk", "gorgias"])
    def test_the_template_unfilled_is_a_test_of_the_webhook(self, name: str) -> None:
        template = GUIDES[name].template_text() or ""
        assert translate(name, template.encode()).outcome is Outcome.HANDSHAKE

    @pytest.mark.parametrize(
        "responded", ["2026-03-02 11:00:00", "2026-03-02T12:00:00+01:00", 1772449200, "1772449200000"]
    )
    def test_the_time_of_an_answer_is_read_in_every_form(self, responded: Any) -> None:
        _, body = given("asknicely", "response")
        body["question"]["responded"] = responded
        assert one(translate("asknicely", body)).occurred_at == datetime(2026, 3, 2, 11, tzinfo=UTC)

    @pytest.mark.parametrize("survey", [None, "", "None", {"id": "None", "score": "None", "scored_datetime": "None"}])
    def test_gorgias_nulls_are_no_answer(self, survey: Any) -> None:
        _, body = given("gorgias", "ticket")
        body["ticket"]["satisfaction_survey"] = survey
        assert isinstance(one(translate("gorgias", body)), TicketChanged)

    def test_gorgias_nulls_beside_an_answer_cost_nobody_the_answer(self) -> None:
        found, body = given("gorgias", "ticket")
        body["ticket"] |= {"updated_datetime": "None", "subject": "None"}
        body["account"]["domain"] = "None"
        ticket, response = translate("gorgias", body).events
        assert response.normalised_score == found.expected[1]["normalised_score"]
        assert (ticket.occurred_at, ticket.subject, ticket.ticket_url) == (None, None, None)

    def test_a_changed_answer_is_another_delivery_of_the_same_record(self) -> None:
        _, body = given("asknicely", "response")
        first, second = one(translate("asknicely", body)), one(translate("asknicely", body | {"count": 2}))
        assert first.record_id == second.record_id
        assert first.unique_id != second.unique_id
        body["question"]["score"] = ""
        assert translate("asknicely", body).outcome is Outcome.IGNORE
