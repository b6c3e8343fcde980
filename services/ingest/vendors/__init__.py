"""Every vendor API there is. A new one is one module here and one line in VENDORS."""

from services.ingest.vendors import (
    delighted,
    freshdesk,
    helpscout,
    hubspot,
    intercom,
    jira,
    qualtrics,
    surveymonkey,
    zendesk,
)
from services.ingest.vendors.base import Vendor

VENDORS: tuple[Vendor, ...] = (
    zendesk.VENDOR,
    freshdesk.VENDOR,
    intercom.VENDOR,
    helpscout.VENDOR,
    delighted.VENDOR,
    surveymonkey.VENDOR,
    hubspot.VENDOR,
    qualtrics.VENDOR,
    jira.VENDOR,
)
BY_NAME = {vendor.name: vendor for vendor in VENDORS}
