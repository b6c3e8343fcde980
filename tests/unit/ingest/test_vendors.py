"""The turns that single vendors take: what is a rating, what is none, which text means what."""

import json
from datetime import datetime
from typing import Any

import pytest

from services.ingest.sources import BY_NAME
from services.ingest.sources.base import Outcome, Translation, Unprocessable, WebhookRequest
from services.ingest.sources.options import parse_options
from shared.events.catalog import SurveyResponded, TicketChanged
from tests.support.ingest import NOW
from tests.support.payloads import sample


def translate(source: str, document: Any, options: dict[str, Any] | None = None, **headers: str) -> Translation:
    request = WebhookRequest("POST", "", headers, json.dumps(document).encode(), {})
    parsed, unknown = parse_options(BY_NAME[source], options or {})
    assert not unknown
    return BY_NAME[source].translate(request, parsed, NOW)


def document(source: str, file: str) -> Any:
    return json.loads(sample(source, file).body)


def trigger(rating: Any, *, status: str = "Solved", event: str = "csat.rated", **options: Any) -> Translation:
    body = document("zendesk", "trigger_csat")
    body |= {"event": event, "satisfaction": {"rating": rating, "comment": "hm"}}
    body["ticket"]["status"] = status
    return translate("zendesk", body, options)


def rated(score: Any, **event: Any) -> Translation:
    body = document("zendesk", "ticket_csat")
    body["event"] = {"satisfaction_score": {"score": score}, **event}
    return translate("zendesk", body)


def one(translation: Translation) -> Any:
    (event,) = translation.events
    return event


class TestZendesk:
    @pytest.mark.parametrize(
        ("word", "score"),
        [("GOOD", 5), ("bad", 1), ("Bad_With_Comment", 1), ("GOOD_WITH_COMMENT", 5), (3, 3), ("4", 4)],
    )
    def test_event_ratings_are_words_in_any_case_or_numbers(self, word: Any, score: int) -> None:
        response = one(rated(word))
        assert (response.raw_score, response.normalised_score) == (word, score)

    @pytest.mark.parametrize("word", ["OFFERED", "UNOFFERED", "offered", None, ""])
    def test_a_survey_that_nobody_answered_is_no_score(self, word: Any) -> None:
        translation = rated(word)
        assert translation.outcome is Outcome.IGNORE
        assert "not answered" in (translation.reason or "")

    @pytest.mark.parametrize("comment", ["Slow", {"body": "Slow"}])
    def test_the_comment_is_taken_from_either_place(self, comment: Any) -> None:
        assert one(rated("BAD", comment=comment)).comment == "Slow"
        nested = document("zendesk", "ticket_csat")
        nested["event"] = {"satisfaction_score": {"score": "BAD", "comment": comment}}
        assert one(translate("zendesk", nested)).comment == "Slow"

    @pytest.mark.parametrize("score", [0, 6, "11", "meh", True, {}, [1]])
    def test_a_score_outside_its_scale_is_refused(self, score: Any) -> None:
        with pytest.raises(Unprocessable):
            rated(score)

    @pytest.mark.parametrize(
        ("vendor", "ours"),
        [("NEW", "new"), ("OPEN", "open"), ("PENDING", "pending"), ("HOLD", "pending"), ("SOLVED", "solved"),
         ("CLOSED", "closed"), ("ARCHIVED", "closed"), ("DELETED", "deleted"), ("SCRUBBED", "deleted")],
    )  # fmt: skip
    def test_every_status_has_one_of_ours(self, vendor: str, ours: str) -> None:
        body = document("zendesk", "ticket_status")
        body["event"]["current"] = vendor
        assert one(translate("zendesk", body)).ticket_status == ours

    @pytest.mark.parametrize(("kind", "ours"), [("ticket.merged", "merged"), ("ticket.soft_deleted", "deleted")])
    def test_merged_and_deleted_tickets_say_so_by_their_type(self, kind: str, ours: str) -> None:
        body = document("zendesk", "ticket_status") | {"type": f"zen:event-type:{kind}", "event": {}}
        assert one(translate("zendesk", body)).ticket_status == ours

    @pytest.mark.parametrize("kind", ["ticket.comment_added", "ticket.csat_requested", "user.created"])
    def test_events_we_do_not_need_are_ignored_with_the_reason(self, kind: str) -> None:
        translation = translate("zendesk", document("zendesk", "ticket_status") | {"type": f"zen:event-type:{kind}"})
        assert translation.outcome is Outcome.IGNORE
        assert translation.reason

    @pytest.mark.parametrize(
        ("text", "score"), [("Good, I'm satisfied", 5), ("Bad, I'm unsatisfied", 1), ("bad", 1), ("2", 2)]
    )
    def test_the_first_word_of_a_triggers_rating_counts(self, text: str, score: int) -> None:
        assert one(trigger(text)).normalised_score == score

    def test_localised_ratings_are_looked_up_in_the_policy(self) -> None:
        words = {"Gut, ich bin zufrieden": "good", "Schlecht": "bad", "Angeboten": "none", "ok": 3}
        assert one(trigger("gut, ich bin ZUFRIEDEN ", rating_text_map=words)).normalised_score == 5
        assert one(trigger("Schlecht", rating_text_map=words)).normalised_score == 1
        assert one(trigger("ok", rating_text_map=words)).normalised_score == 3
        assert trigger("Angeboten", rating_text_map=words).outcome is Outcome.IGNORE
        with pytest.raises(Unprocessable, match="rating_text_map"):
            trigger("Mauvais", rating_text_map=words)

    def test_localised_statuses_are_looked_up_in_the_policy(self) -> None:
        found = trigger("", status="Gelöst", event="ticket.solved", status_text_map={"gelöst": "solved"})
        assert one(found).ticket_status == "solved"
        with pytest.raises(Unprocessable, match="status_text_map"):
            trigger("", status="Gelöst", event="ticket.solved")

    def test_an_unknown_status_does_not_cost_us_the_rating(self) -> None:
        assert one(trigger("Bad", status="Gelöst")).ticket_status is None

    def test_a_solved_ticket_with_a_rating_is_both(self) -> None:
        ticket, response = trigger("Bad, slow", event="ticket.solved").events
        assert isinstance(ticket, TicketChanged)
        assert isinstance(response, SurveyResponded)
        assert (ticket.record_id, response.record_id) == ("51612", "csat:51612")

    def test_a_solved_ticket_whose_rating_nobody_understands_is_a_ticket(self) -> None:
        assert isinstance(one(trigger("Sin ofrecer", event="ticket.solved")), TicketChanged)

    def test_unfilled_placeholders_are_a_test_of_the_hook(self) -> None:
        body = {"event": "csat.rated", "ticket": {"id": "{{ticket.id}}"}}
        assert translate("zendesk", body).outcome is Outcome.HANDSHAKE

    def test_without_an_invocation_id_the_body_identifies_the_delivery(self) -> None:
        body = document("zendesk", "trigger_csat")
        first, again = (one(translate("zendesk", body)).unique_id for _ in range(2))
        assert first == again
        assert len(first) == 64


class TestIntercom:
    @staticmethod
    def rating(**rating: Any) -> Translation:
        body = document("intercom", "conversation_rating")
        body["data"]["item"]["conversation_rating"] = rating
        return translate("intercom", body)

    def test_an_empty_rating_is_no_rating(self) -> None:
        assert self.rating().outcome is Outcome.IGNORE
        assert self.rating(rating=None, remark="hm").outcome is Outcome.IGNORE

    def test_a_changed_rating_is_the_same_record_at_a_later_time(self) -> None:
        first = one(self.rating(rating=5, created_at=1772449205))
        second = one(self.rating(rating=1, created_at=1772449300))
        assert first.record_id == second.record_id
        assert first.occurred_at < second.occurred_at

    @pytest.mark.parametrize("rating", [0, 6, "good", 2.5, True, -1, []])
    def test_a_rating_outside_1_to_5_is_refused(self, rating: Any) -> None:
        with pytest.raises(Unprocessable, match="conversation_rating"):
            self.rating(rating=rating)

    def test_a_closed_conversation_with_a_rating_is_both(self) -> None:
        body = document("intercom", "conversation_rating") | {"topic": "conversation.admin.closed"}
        ticket, response = translate("intercom", body).events
        assert (ticket.ticket_status, response.normalised_score) == ("closed", 4)

    def test_a_closed_conversation_without_one_is_a_ticket(self) -> None:
        body = document("intercom", "conversation_rating") | {"topic": "conversation.admin.closed"}
        body["data"]["item"]["conversation_rating"] = {}
        assert isinstance(one(translate("intercom", body)), TicketChanged)

    def test_a_ticket_is_read_flat_and_nested(self) -> None:
        nested = document("intercom", "ticket_closed")
        flat = json.loads(json.dumps(nested))
        flat["data"]["item"] = flat["data"]["item"]["ticket"]
        assert translate("intercom", flat).events == translate("intercom", nested).events

    def test_a_reopened_conversation_is_open(self) -> None:
        body = document("intercom", "conversation_admin") | {"topic": "conversation.admin.opened"}
        body["data"]["item"] |= {"state": "open", "open": True}
        assert one(translate("intercom", body)).ticket_status == "open"

    def test_an_agents_own_first_message_does_not_make_the_agent_the_customer(self) -> None:
        body = document("intercom", "conversation_rating")
        body["data"]["item"]["source"]["author"] = {"type": "admin", "email": "jo@acme.example", "name": "Jo"}
        response = one(translate("intercom", body))
        assert response.requester_email is None
        assert "email_domain" not in response.account_hint

    def test_the_ping_is_a_handshake_and_other_topics_are_ignored(self) -> None:
        ping = {"type": "notification_event", "topic": "ping", "data": {"item": {"type": "ping"}}}
        assert translate("intercom", ping).outcome is Outcome.HANDSHAKE
        assert translate("intercom", {"topic": "contact.created"}).outcome is Outcome.IGNORE
        with pytest.raises(Unprocessable, match="topic"):
            translate("intercom", {})


class TestDelighted:
    @staticmethod
    def answer(survey: str, score: Any, options: dict[str, Any] | None = None, **fields: Any) -> Translation:
        body = document("delighted", "survey_response")
        body["event_data"] |= {"survey_type": survey, "score": score, **fields}
        return translate("delighted", body, options)

    @pytest.mark.parametrize(
        ("survey", "score", "metric", "normalised"),
        [("nps", 0, "nps", 0), ("csat", 2, "csat", 2), ("csat3", 2, "csat", 3), ("ces", 2, "ces", 2.5),
         ("ces7", 3, "ces", 3), ("thumbs", 0, "csat", 1), ("thumbs", 1, "csat", 5), ("smiley", 4, "csat", 4)],
    )  # fmt: skip
    def test_each_survey_has_its_scale(self, survey: str, score: Any, metric: str, normalised: float) -> None:
        response = one(self.answer(survey, score))
        assert (response.metric, response.normalised_score) == (metric, normalised)

    def test_the_policy_can_say_another_scale(self) -> None:
        assert one(self.answer("ces", 6, {"ces_scale": [1, 7]})).normalised_score == 6

    def test_surveys_of_employees_and_answers_without_a_score_are_ignored(self) -> None:
        assert self.answer("enps", 3).outcome is Outcome.IGNORE
        assert self.answer("nps", None).outcome is Outcome.IGNORE

    @pytest.mark.parametrize(
        ("survey", "score"), [("nps", 11), ("csat", 0), ("thumbs", 2), ("thumbs", 0.5), ("nps", True)]
    )
    def test_a_score_outside_its_scale_is_refused(self, survey: str, score: Any) -> None:
        with pytest.raises(Unprocessable, match=r"event_data\.score"):
            self.answer(survey, score)

    def test_the_update_that_brings_the_comment_is_the_same_record_later(self) -> None:
        created = one(self.answer("nps", 3))
        updated = one(self.answer("nps", 3, comment="Slow", updated_at=1772186999))
        assert updated.record_id == created.record_id
        assert updated.occurred_at > created.occurred_at
        assert updated.comment == "Slow"

    def test_an_unsubscribe_is_ignored_whatever_it_holds(self) -> None:
        body = {"event_type": "unsubscribe.created", "event_data": []}
        assert translate("delighted", body).outcome is Outcome.IGNORE


class TestOurJson:
    @staticmethod
    def survey(kind: str = "survey.response.created", **data: Any) -> Translation:
        body = {"type": kind, "timestamp": "2026-03-02T11:00:00Z", "data": {"id": "r1", "metric": "csat", **data}}
        return translate("standard", body, **{"webhook-id": "msg_1"})

    @pytest.mark.parametrize(
        ("data", "normalised"),
        [
            ({"metric": "csat", "score": 2}, 2),
            ({"metric": "csat", "score": 4.5}, 4.5),
            ({"metric": "CES", "score": 7, "scale": {"min": 1, "max": 7, "reversed": True}}, 1),
            ({"metric": "csat", "score": "0", "scale": {"min": 0, "max": 1}}, 1),
            ({"metric": "nps", "score": 0}, 0),
        ],
    )
    def test_metric_scale_and_direction_are_declared(self, data: dict[str, Any], normalised: float) -> None:
        assert one(self.survey(**data)).normalised_score == normalised

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ({"metric": "csat", "score": 6}, "scale 1 to 5"),
            ({"metric": "nps", "score": 7.5}, "not a whole number"),
            ({"metric": "joy", "score": 6}, r"data\.metric"),
            ({"metric": None, "score": 6}, r"data\.metric"),
            ({"score": 3, "scale": {"min": 5, "max": 1}}, "min below max"),
            ({"score": 3, "scale": {"min": 1}}, r"data\.scale\.max"),
            ({"score": 3, "scale": {"min": True, "max": 5}}, r"data\.scale\.min"),
            ({"score": 3, "scale": {"min": 1, "max": 5, "reversed": "no"}}, r"data\.scale\.reversed"),
            ({"score": 3, "id": None}, r"data\.id is missing"),
            ({"score": 3, "comment": 5}, "comment"),
            ({"score": 3, "ticket": {"id": "1", "status": "weird"}}, r"data\.ticket\.status"),
            ({"score": [3]}, r"data\.score"),
        ],
    )
    def test_a_wrong_field_is_refused_by_its_name(self, data: dict[str, Any], reason: str) -> None:
        with pytest.raises(Unprocessable, match=reason):
            self.survey(**data)

    def test_no_score_is_ignored_with_the_reason(self) -> None:
        translation = self.survey(score=None)
        assert (translation.outcome, translation.reason) == (Outcome.IGNORE, "The response has no score.")

    def test_a_ticket_is_told_beside_or_as_the_data(self) -> None:
        beside = one(self.survey("ticket.updated", ticket={"id": 7, "status": "Closed", "subject": "Login"}))
        alone = one(self.survey("ticket.updated", id=7, status="closed", subject="Login"))
        assert beside == alone
        assert (beside.ticket_id, beside.ticket_status, beside.record_id) == ("7", "closed", "7")

    def test_only_documented_keys_of_the_account_are_kept(self) -> None:
        account = {"id": 9, "external_id": "crm-1", "domain": "Elm.Example ", "vendor": "x", "name": "Elm"}
        assert one(self.survey(score=3, account=account)).account_hint == {
            "account_id": "9",
            "external_id": "crm-1",
            "domain": "elm.example",
            "organization_name": "Elm",
        }

    def test_the_vendors_own_time_wins_over_the_envelopes(self) -> None:
        assert one(self.survey(score=3, occurred_at="2026-03-01T00:00:00Z")).occurred_at == datetime.fromisoformat(
            "2026-03-01T00:00:00Z"
        )

    @pytest.mark.parametrize("kind", ["invoice.paid", "survey.response", "ping"])
    def test_other_types_are_not_needed(self, kind: str) -> None:
        assert not self.survey(kind).events

    def test_github_style_takes_type_and_delivery_from_headers(self) -> None:
        body = {"data": {"id": "r1", "metric": "csat", "score": 1}}
        headers = {"x-github-event": "survey.response.created", "x-request": "abc"}
        assert one(translate("hmac", body, {"delivery_header": "X-Request"}, **headers)).unique_id == "abc"
        assert translate("hmac", body, **{"x-github-event": "ping"}).outcome is Outcome.HANDSHAKE
