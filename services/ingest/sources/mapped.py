"""Any other tool: an administrator says in the policy where score, ids and times are (docs/sources/mapped.md)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from services.ingest import signatures
from services.ingest.scales import RANGES, NumberScale, Score, ScoreError, WordScale
from services.ingest.sources import rating, shared_secret
from services.ingest.sources.base import (
    Options,
    Secrets,
    Source,
    Translate,
    Translation,
    Unprocessable,
    WebhookRequest,
    accept,
    ignore,
)
from services.ingest.sources.json_path import Path
from services.ingest.sources.mapped_options import MAPPED_OPTIONS
from services.ingest.sources.options import STATUSES, scale_of
from services.ingest.sources.reading import (
    asked_by,
    comment_of,
    digest,
    email_of,
    from_epoch,
    from_iso,
    identifier,
    link_of,
    optional_identifier,
    parse_json,
    person,
    present,
)
from services.ingest.sources.worked_examples import examples, unproven
from shared.events.catalog import SurveyResponded, TicketChanged

NAME = "mapped"
_NAMED = re.compile(r"[a-z][a-z0-9]{0,39}(?:_[a-z0-9]{1,39})?")


def verify(request: WebhookRequest, secrets: Secrets, options: Options, now: datetime) -> None:
    """The HMAC of the option `signature`, else the shared secret."""
    if "signature" in options:
        signatures.plain(request.headers, request.body, secrets, options["signature"])
    elif options.get("token_in_query"):
        shared_secret.verify_with_query(request, secrets, options, now)
    else:
        shared_secret.verify(request, secrets, options, now)


def translate(name: str, request: WebhookRequest, options: Options, received_at: datetime) -> Translation:
    """The response; where there is no score, the ticket, if its id and status are mapped. Raises Unprocessable."""
    if missing := _missing(options):
        raise Unprocessable(f"sources.{name}.{missing[0]} is missing: the policy does not say where to look.")
    document = parse_json(request.body)
    if "only" in options and not options["only"].holds(document):
        return ignore("The option `only` leaves bodies of this kind out.")
    about = _about(name, document, request, options, received_at)
    if "withdrawn" in options and options["withdrawn"].holds(document):
        metric = options["metric"] if isinstance(options["metric"], str) else "none"
        return accept(_response(document, options, about, {"metric": metric, "withdrawn": True}))
    score = _score(document, options)
    if score is not None:
        return accept(_response(document, options, about, rating.fields(score)))
    if about["ticket_id"] and about["ticket_status"]:
        return accept(TicketChanged(record_id=about["ticket_id"], **about))
    return ignore("The body has no score.")


def _missing(options: Options) -> list[str]:
    return [name for name in ("metric", "score", "record_id") if name not in options]


def _unproven(translating: Translate, options: Options) -> list[str]:
    """What is missing, what a word means beyond its metric, and which worked examples do not hold."""
    if missing := _missing(options):
        return [f"{', '.join(missing)} must be given"]
    scale, metric = options.get("scale"), options["metric"]
    if isinstance(scale, WordScale) and isinstance(metric, str) and (strays := replace(scale, metric=metric).strays()):
        low, high = RANGES[metric]
        return [f"scale: {', '.join(strays)} must stand for a {metric} of {low} to {high}"]
    return unproven(translating, options)


def _response(document: Any, options: Options, about: dict[str, Any], rated: dict[str, Any]) -> SurveyResponded:
    return SurveyResponded(
        record_id=identifier(_text(document, options, "record_id"), "record_id"),
        comment=comment_of(_text(document, options, "comment")),
        survey_id=optional_identifier(_text(document, options, "survey_id"), "survey_id"),
        **rated,
        **about,
    )


def _metric(document: Any, options: Options) -> str:
    declared = options["metric"]
    if not isinstance(declared, Path):
        return str(declared)
    found = declared.read(document)
    word = found.strip().lower() if isinstance(found, str) else ""
    if word not in RANGES:
        raise Unprocessable(f"metric: {declared} is not csat, nps or ces.")
    return word


def _score(document: Any, options: Options) -> Score | None:
    """None where nobody answered. A declared scale is of the one metric that was declared."""
    raw, scale = options["score"].read(document), options.get("scale")
    metric = _metric(document, options)
    try:
        if isinstance(scale, WordScale):
            return replace(scale, metric=metric).score(raw)
        found = scale or scale_of(options, metric, rating.DEFAULT_SCALES[metric])
        return NumberScale(metric, found.minimum, found.maximum, found.reversed, metric != "nps").score(raw)
    except ScoreError as wrong:
        raise Unprocessable(f"score: {wrong}.") from None


def _about(
    name: str, document: Any, request: WebhookRequest, options: Options, received_at: datetime
) -> dict[str, Any]:
    def text(option: str) -> str | None:
        return _text(document, options, option)

    return {
        "source": name,
        "unique_id": _delivery(document, request, options),
        "received_at": received_at,
        "ticket_id": optional_identifier(text("ticket_id"), "ticket_id"),
        "ticket_status": _status(text("ticket_status"), options),
        "subject": present(text("ticket_subject")),
        "ticket_url": link_of(text("ticket_url")),
        "assignee": person(name=present(text("assignee_name")), email=email_of(text("assignee_email"))),
        "occurred_at": _occurred_at(document, options),
        **asked_by(text("requester_email"), text("requester_name"), **_account(document, options)),
    }


def _delivery(document: Any, request: WebhookRequest, options: Options) -> str:
    """The vendor's id of the delivery; without one the body is its own: sent again, it is the same."""
    header = request.headers.get(options["delivery_header"]) if "delivery_header" in options else None
    found = header or optional_identifier(_text(document, options, "delivery_id"), "delivery_id")
    return identifier(found or digest(request.body), "delivery_id")


def _account(document: Any, options: Options) -> dict[str, str | None]:
    paths: Mapping[str, Path] = options.get("account", {})
    found = {key: optional_identifier(_as_text(path.read(document), path), key) for key, path in paths.items()}
    if found.get("domain"):
        found["domain"] = str(found["domain"]).lower()
    return found


def _status(raw: str | None, options: Options) -> str | None:
    """One of ours, by itself or by `status_text_map`; other words cost nobody the rating."""
    word = (raw or "").strip().casefold()
    return options.get("status_text_map", {}).get(word) or (word if word in STATUSES else None)


def _occurred_at(document: Any, options: Options) -> datetime | None:
    path: Path | None = options.get("occurred_at")
    if path is None:
        return None
    found, form = path.read(document), options.get("time_format", "iso")
    if form == "iso":
        return from_iso(_as_text(found, path), f"occurred_at ({path})")
    if found is not None and (isinstance(found, bool) or not isinstance(found, int | float | str)):
        raise Unprocessable(f"occurred_at: {path} is not a time.")
    return from_epoch(found, f"occurred_at ({path})", 1000 if form == "epoch_ms" else 1)


def _text(document: Any, options: Options, option: str) -> str | None:
    path: Path | None = options.get(option)
    return None if path is None else _as_text(path.read(document), path)


def _as_text(value: Any, path: Path) -> str | None:
    """Numbers as their digits. Raises Unprocessable for anything else that is not a text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unprocessable(f"{path} is not a text.")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    # Python refuses to write integers of thousands of digits; no id is one.
    if value.bit_length() > 512:
        raise Unprocessable(f"{path} is a huge number.")
    return str(value)


def named(name: str) -> Source:
    """A mapped source of that name. Raises ValueError for a name that no address or setting can have."""
    if not _NAMED.fullmatch(name):
        raise ValueError("a source is named in lower case, such as acme or acme_surveys")
    translating = partial(translate, name)
    return Source(
        name=name,
        verify=verify,
        translate=translating,
        options={**MAPPED_OPTIONS, "examples": examples},
        unproven=partial(_unproven, translating),
    )


SOURCE = named(NAME)
