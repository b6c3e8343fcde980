"""Every scoring rule, in the order their reasons are shown. A new one is a function in this folder and a line here."""

from collections.abc import Callable

from services.scoring.rules.ces import ces
from services.scoring.rules.csat import csat
from services.scoring.rules.nps import nps
from shared.events.catalog import SurveyResponded
from shared.policy import Thresholds

Rule = Callable[[SurveyResponded, Thresholds], str | None]
"""Why a response needs a person, in words; None when this rule sees no need."""

RULES: tuple[Rule, ...] = (csat, nps, ces)
