"""How far back the reconciler looks."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from services.ingest.hearing import Hearing
from services.ingest.reconciler import Reconciler
from services.ingest.vendors.base import RECONCILE_AFTER, RECONCILE_WINDOW, Vendor, VendorUnavailable, Window
from services.ingest.vendors.client import Gate
from services.ingest.vendors.opening import OpenVendor
from shared.bus.base import Bus
from shared.clock import ManualClock
from shared.events.catalog import SurveyResponded
from tests.support.domain import NOON

NO_BUS = cast(Bus, None)
"""Nothing is found, so nothing is published."""


class Listings:
    """A vendor's API that can be away, and remembers for which time it was asked."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[Window] = []

    async def list_since(
        self, api: Any, window: Window, options: Mapping[str, Any], now: datetime
    ) -> AsyncIterator[SurveyResponded]:
        self.asked.append(window)
        if self.away:
            raise VendorUnavailable("it is away")
        for nothing in ():
            yield nothing


async def test_a_vendor_that_was_away_for_longer_than_the_window_is_asked_for_all_of_that_time() -> None:
    clock, listings = ManualClock(NOON), Listings()
    vendor = Vendor(
        "delighted", lambda options: "http://127.0.0.1:9", lambda token: {}, 60, list_since=listings.list_since
    )
    opened = OpenVendor(vendor, {}, "http://127.0.0.1:9", "token", Gate(clock, timedelta(0)))
    reconciler = Reconciler(NO_BUS, clock, opened, Hearing(NO_BUS, clock, {}))
    await reconciler.reconcile()
    first = listings.asked[-1]
    assert first == Window(NOON - RECONCILE_WINDOW, NOON - RECONCILE_AFTER)

    listings.away = True
    for _ in range(3):
        clock.advance(timedelta(hours=20))
        with pytest.raises(VendorUnavailable):
            await reconciler.reconcile()
    listings.away = False
    await reconciler.reconcile()
    assert listings.asked[-1] == Window(first.until, clock.now() - RECONCILE_AFTER)

    clock.advance(timedelta(minutes=15))
    await reconciler.reconcile()
    assert listings.asked[-1].since == clock.now() - RECONCILE_WINDOW

    clock.advance(timedelta(days=30))
    await reconciler.reconcile()
    assert listings.asked[-1].since == clock.now() - 7 * RECONCILE_WINDOW
