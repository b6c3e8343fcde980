"""Deliveries as vendors send them, byte by byte, with the records that they must become: tests/payloads/<source>/."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent.parent / "payloads"
LATER = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    """One delivery. `secret` made its signature (None: the vendor does not sign); `at` is when it was sent."""

    source: str
    file: str
    headers: dict[str, str]
    body: bytes
    secret: str | None
    url: str | None
    options: dict[str, Any]
    outcome: str
    expected: list[dict[str, Any]]
    at: datetime

    def __str__(self) -> str:
        return f"{self.source}/{self.file}"


def samples(source: str | None = None) -> list[Sample]:
    """All samples, or those of one source."""
    folders = [HOME / source] if source else sorted(path for path in HOME.iterdir() if path.is_dir())
    return [_sample(folder, item) for folder in folders for item in json.loads((folder / "index.json").read_text())]


def sample(source: str, file: str) -> Sample:
    """The one sample whose file name begins with `file`."""
    (found,) = [one for one in samples(source) if one.file.startswith(file)]
    return found


def _sample(folder: Path, item: dict[str, Any]) -> Sample:
    return Sample(
        source=folder.name,
        file=item["file"],
        headers={name.lower(): value for name, value in item["headers"].items()},
        body=(folder / item["file"]).read_bytes(),
        secret=item["secret"],
        url=item["url"],
        options=item["adapter_config"],
        outcome=item["outcome"],
        expected=item["expected"],
        at=datetime.fromisoformat(item["verify_at"]) if item["verify_at"] else LATER,
    )
