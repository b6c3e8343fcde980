"""A deadline that cannot be handled now is tried again in a minute, and holds up none of the others (G5)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.router import RouterBench

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def breached(router: RouterBench, case_id: str) -> int:
    return [entry.type for entry in await router.journal(case_id)].count("touch_breached")


async def test_g5_what_stumbles_is_postponed_and_the_rest_fires(
    router: RouterBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await router.account("beta", domains=["beta.example"])
    stuck = (await router.low(2)).case.id
    await router.hears(router.answer(2, record_id="r2", requester_email="x@beta.example"))
    (well,) = {view.case.id for view in await router.all_cases()} - {stuck}
    apply = router.cases.apply

    async def stumbles(tx: Any, case_id: str, *arguments: Any) -> Any:
        if case_id == stuck:
            raise ZeroDivisionError
        return await apply(tx, case_id, *arguments)

    with monkeypatch.context() as broken:
        broken.setattr(router.cases, "apply", stumbles)
        await router.passes(DAY)
        assert (await breached(router, stuck), await breached(router, well)) == (0, 1)
    await router.passes(MINUTE / 2)
    assert await breached(router, stuck) == 0
    await router.passes(MINUTE)
    assert await breached(router, stuck) == 1
    assert (await router.case(stuck)).case.touch_due_at == (await router.case(well)).case.touch_due_at
