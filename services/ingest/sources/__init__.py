"""Every webhook source there is. A new one is one module here and one line in SOURCES."""

from services.ingest.sources import (
    asknicely,
    chatwoot,
    delighted,
    formbricks,
    freshdesk,
    front,
    gorgias,
    helpscout,
    hmac,
    hubspot,
    intercom,
    jira,
    qualtrics,
    salesforce,
    standard,
    surveymonkey,
    typeform,
    zammad,
    zendesk,
)
from services.ingest.sources.base import Source

SOURCES: tuple[Source, ...] = (
    zendesk.SOURCE,
    intercom.SOURCE,
    delighted.SOURCE,
    standard.SOURCE,
    hmac.SOURCE,
    chatwoot.SOURCE,
    helpscout.SOURCE,
    freshdesk.SOURCE,
    typeform.SOURCE,
    gorgias.SOURCE,
    hubspot.SOURCE,
    jira.SOURCE,
    front.SOURCE,
    zammad.SOURCE,
    salesforce.SOURCE,
    surveymonkey.SOURCE,
    qualtrics.SOURCE,
    formbricks.SOURCE,
    asknicely.SOURCE,
)
BY_NAME = {source.name: source for source in SOURCES}
