"""The morning digest: one message to a person about the alerts that were folded into it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.router.domain.case import Case
from services.router.domain.messages import Field, Instant, Line, Link, Message, Part, Strong

MOST = 7
_LONGEST_NAME = 80


def folded(case: Case) -> dict[str, Any]:
    """What the digest's row keeps of a case."""
    due = case.touch_due_at
    return {"id": case.id, "name": case.account_name, "severity": case.severity.value, "due": due and due.isoformat()}


def digest(recipient: str, case: Case, data: Mapping[str, Any], case_base: str | None) -> Message:
    """`data["cases"]` are those of `folded`, in the order they came, `case` the first of them; each links to its page
    under `case_base`."""
    cases: Sequence[Mapping[str, Any]] = data.get("cases") or (folded(case),)
    count = len(cases)
    words = f"{count} low score{'' if count == 1 else 's'} beyond this week's budget"
    names = ", ".join(_name(item) for item in cases[:MOST])
    rest = count - MOST
    more: Line = (f"and {rest} more: `/loops`, or your Home tab",)
    return Message(
        case_id=case.id,
        rev=case.version,
        headline=("☀️ ", Strong("Good morning"), f": {words}"),
        text=f"{words}: {names}{f' and {rest} more' if rest > 0 else ''}. Their cards follow.",
        lines=(("Their cards follow here. The time for the first touch has run from the start.",),)
        + ((more,) if rest > 0 else ()),
        fields=tuple(Field(_name(item), _value(item, case_base)) for item in cases[:MOST]),
        mention=(recipient,),
    )


def _name(item: Mapping[str, Any]) -> str:
    name = str(item["name"])
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _value(item: Mapping[str, Any], case_base: str | None) -> Line:
    url = f"{case_base}{item['id']}" if case_base else None
    parts: list[Part] = [Link(str(item["id"]), url), f" · {item['severity']}"]
    if item.get("due"):
        parts += [" · touch due ", Instant(datetime.fromisoformat(str(item["due"])))]
    return tuple(parts)
