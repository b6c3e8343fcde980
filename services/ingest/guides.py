"""How an admin connects each tool, what its vendor does when we fail, and how to switch it on again. Data."""

from dataclasses import dataclass
from pathlib import Path

_TEMPLATES = Path(__file__).parent / "templates"

OWN = "make one with `closeloop secrets new {source}`"
HEADER = "Add the header `X-Closeloop-Token` with the secret (or HTTP Basic: any user, the secret as password)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """`steps` may name `{url}`, where the vendor is to deliver, and `{source}`. `sign_with` says where the secret comes
    from; `api` where an API token comes from, empty where none is used. `rule` is what the vendor does when deliveries
    fail."""

    steps: tuple[str, ...]
    sign_with: str = OWN
    api: str = ""
    api_options: tuple[str, ...] = ()
    rule: str = "The vendor does not say what it does when deliveries fail."
    switch_on: str = "Check the webhook in the vendor's settings, and send a test from there."
    template: str | None = None

    def template_text(self) -> str | None:
        """The body to paste into the vendor's form."""
        return (_TEMPLATES / self.template).read_text(encoding="utf-8") if self.template else None


GUIDES: dict[str, Guide] = {
    "zendesk": Guide(
        steps=(
            "Admin Center > Apps and integrations > Webhooks > Create webhook > Trigger or automation.",
            "Endpoint {url}, method POST, format JSON, no authentication. Then: Reveal secret, and copy it.",
            "Business rules > Triggers > Add trigger: Satisfaction is Bad; a second: Satisfaction is Good.",
            "Action of both: Notify active webhook, with the template below.",
            'A third: Status changed to Solved, with "event": "ticket.solved" in the template; one for reopened, too.',
            "For replies as proof of a touch: a second webhook, Zendesk events > Ticket comment added; its secret goes"
            " after a comma.",
        ),
        sign_with="the webhook's signing secret, as Zendesk shows it",
        api="Admin Center > Apps and integrations > APIs > Zendesk API > API tokens: `name@example.com/token:<token>`",
        api_options=('subdomain = "acme"',),
        template="zendesk.json",
        rule="Zendesk's breaker stops a webhook at 70 % errors within 5 minutes, or over 1,000 errors.",
        switch_on="It tries again by itself; else Admin Center > Webhooks > (the webhook) > Activate.",
    ),
    "freshdesk": Guide(
        steps=(
            "Admin > Workflows > Automations > Ticket updates > New rule: Status changed, to any.",
            "Action: Trigger webhook, POST, {url}, encoding JSON, content advanced, with the template below.",
            "Tick `Requires authentication`: any user name, the secret as password.",
            "Ratings cannot be sent by a webhook: set the API key, and they are asked for every two minutes.",
        ),
        api="Profile settings > View API key",
        api_options=('api_url = "https://acme.freshdesk.com"',),
        template="freshdesk.json",
        rule="Freshdesk tries again after 5, 30 and 60 minutes; what waits longer than 24 hours is dropped.",
        switch_on="Nothing is switched off: check the rule, and that API calls are left this hour.",
    ),
    "intercom": Guide(
        steps=(
            "Developer Hub > your app > Webhooks: endpoint {url}.",
            "Topics: conversation.rating.added, conversation.admin.closed, .opened and .replied, ticket.closed,"
            " ticket.admin.replied.",
        ),
        sign_with="the app's client secret (Developer Hub > Basic information)",
        api="Developer Hub > your app > Authentication: access token",
        rule="Intercom pauses for 15 minutes after 1,000 failures in a row, and suspends after 7 days of errors.",
        switch_on="Developer Hub > Webhooks > Set live (or Resume).",
    ),
    "hubspot": Guide(
        steps=(
            "Development > Legacy apps > your private app > Webhooks: target URL {url}.",
            "Subscribe to ticket.propertyChange of hs_pipeline_stage, ticket.deletion and .merge, and to creation of"
            " feedback submissions.",
            "Set CLOSELOOP_HTTP__PUBLIC_URL: HubSpot signs the address it calls.",
        ),
        sign_with="the app's client secret",
        api="your private app > Auth: access token, with crm.objects.feedback_submissions.read,"
        " crm.objects.contacts.read and tickets",
        rule="HubSpot tries up to 10 times within 24 hours, and never after 400, 401, 403, 404 or 405.",
        switch_on="your app > Webhooks > the subscription > Activate.",
    ),
    "helpscout": Guide(
        steps=(
            "Manage > Apps > Webhooks > Install: callback URL {url}, and a secret key of up to 40 characters.",
            "Events: Satisfaction ratings, Conversation status updated, Conversation deleted, Agent reply,"
            " Survey response received.",
        ),
        sign_with="the secret key you typed there",
        api="Your profile > My apps > Create: `<app id>:<app secret>` (reports need the Plus or Pro plan)",
        rule="Help Scout tries a delivery up to ten times, and stops at once after 410.",
        switch_on="Manage > Apps > Webhooks > Activate.",
    ),
    "jira": Guide(
        steps=(
            "Jira settings > System > Webhooks > Create: URL {url}, with a secret.",
            "Events: Issue updated, Issue deleted, Comment created; JQL to your service projects.",
            "Find the field `Satisfaction` in Issues > Custom fields, and put its id into satisfaction_field.",
        ),
        sign_with="the secret you typed there",
        api="id.atlassian.com > Security > API tokens: `name@example.com:<token>`",
        api_options=('site = "https://acme.atlassian.net"', 'satisfaction_field = "customfield_10105"'),
        rule="Jira tries a delivery five times within about half an hour, then drops it.",
        switch_on="Jira settings > System > Webhooks: status enabled.",
    ),
    "front": Guide(
        steps=(
            "Settings > Company > Rules > Create: When archived, reopened or replied to, then webhook: {url}.",
            "Or an app webhook: Settings > Developers > your app > Webhooks.",
        ),
        sign_with="Settings > Developers > API: the company's API secret (rules), or the app's signing key",
        rule="Front does not try rule webhooks again: what fails is lost.",
    ),
    "zammad": Guide(
        steps=(
            "Manage > Webhook > New: endpoint {url}, and an HMAC token.",
            "Manage > Trigger > New: state is modified; execute: the webhook.",
        ),
        sign_with="the HMAC token you typed there",
        rule="Zammad tries a delivery five times, about a minute and a half in all.",
        switch_on="Manage > Monitoring shows failed jobs; they are not sent again.",
    ),
    "chatwoot": Guide(
        steps=(
            "Settings > Integrations > Webhooks > Add: {url}.",
            "Events: conversation status changed, message updated (it carries the CSAT), message created (replies).",
        ),
        sign_with="the webhook's secret; older releases do not sign: see docs/sources/chatwoot.md",
        rule="Chatwoot waits 5 seconds and never tries again: what fails is lost.",
    ),
    "gorgias": Guide(
        steps=(
            "Settings > HTTP integrations > Add: URL {url}, POST, JSON, on ticket updated.",
            HEADER,
            "Request body: the template below.",
        ),
        template="gorgias.json",
        rule="Gorgias switches an integration off after 100 failures in a row (newer pages: 500).",
        switch_on="Settings > HTTP integrations > Activate.",
    ),
    "salesforce": Guide(
        steps=(
            "Setup > Outbound messages > New, for Case: endpoint {url}?token=<secret>.",
            "Its fields: see docs/sources/salesforce.md.",
            "Setup > Flows: on a closed case, action Outbound message.",
        ),
        rule="Salesforce tries for 24 hours, up to two hours apart, and then drops a message.",
        switch_on="Setup > Outbound messages > Failed outbound messages > Retry.",
    ),
    "delighted": Guide(
        steps=("Integrations > Webhooks: {url}, events Survey response created and Survey response updated.",),
        sign_with="the project's private API key",
        api="the same private API key",
    ),
    "surveymonkey": Guide(
        steps=(
            "Make an app at developer.surveymonkey.com; scopes: View Responses, View Response Details, View Surveys,"
            " Create/Modify Webhooks.",
            "POST https://api.surveymonkey.com/v3/webhooks: event_type response_completed (and response_deleted),"
            " subscription_url {url}.",
            "Say which question is the score: the option questions below.",
        ),
        sign_with="`<client id>&<client secret>` of the app",
        api="the app's access token",
        api_options=('questions = { "144842585" = { metric = "csat", min = 1, max = 5 } }',),
        rule="SurveyMonkey does not say how it tries again; a private app has 500 API calls a day.",
    ),
    "typeform": Guide(
        steps=(
            "Your form > Connect > Webhooks > Add: {url}.",
            "Edit > Secret: type one. Then switch the webhook on.",
        ),
        sign_with="the secret you typed there",
        rule="Typeform switches a webhook off at once after 404 or 410, and after 300 failures within 24 hours.",
        switch_on="Your form > Connect > Webhooks > the switch.",
    ),
    "qualtrics": Guide(
        steps=(
            "POST https://<datacenter>.qualtrics.com/API/v3/eventsubscriptions with publicationUrl {url},"
            " topics surveyengine.completedResponse.<survey id> and a sharedKey.",
            "Say which question is the score: the option questions below (an NPS question is found by itself).",
        ),
        sign_with="the sharedKey",
        api="Account settings > Qualtrics IDs > API: token",
        api_options=('datacenter = "fra1"', 'questions = { QID1 = { metric = "csat", min = 1, max = 5 } }'),
    ),
    "formbricks": Guide(
        steps=("Integrations > Webhooks > Add: {url}, trigger Response finished. Copy the secret.",),
        sign_with="the webhook's secret (whsec_...)",
        rule="Formbricks tries five times within about eight minutes, five seconds each, and never after another 4xx"
        " than 408 and 429.",
    ),
    "asknicely": Guide(
        steps=("Settings > Integrations > Webhooks > Add: {url}, on response.", HEADER),
    ),
    "retently": Guide(
        steps=(
            "Your campaign > Export > Create new webhook: endpoint {url}, event New feedback, with or without comment.",
            HEADER,
            "Request body: the template below; put the variable of the editor's list in the place of each <...>.",
        ),
        template="retently.json",
    ),
    "standard": Guide(
        steps=("Send our JSON (docs/sources/standard.md) to {url}, signed as standardwebhooks.com says.",),
        rule="Standard Webhooks senders try again for up to 75 hours, and stop after 410.",
    ),
    "hmac": Guide(
        steps=("Send our JSON (docs/sources/standard.md) to {url}, with X-Hub-Signature-256.",),
    ),
    "mapped": Guide(
        steps=(
            "Describe the body in [sources.{source}] (docs/sources/mapped.md).",
            "Look at what it becomes: `closeloop sources test {source} body.json`.",
            "Point the tool at {url}.",
            HEADER,
        ),
    ),
}
