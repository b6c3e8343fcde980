"""Which media types a source takes: JSON under any name that can be JSON, forms and XML only where they are wanted."""

from codecs import BOM_UTF8
from functools import lru_cache

from services.ingest.sources.base import Content

_FORM = "application/x-www-form-urlencoded"
_OTHER_FORMATS = ("image/", "audio/", "video/", "font/", "multipart/", "message/")
_OTHER_TYPES = (_FORM, "text/html", "text/csv", "text/css", "text/javascript", "application/pdf", "application/zip",
                "application/gzip", "application/yaml", "application/x-yaml", "text/yaml", "application/msgpack",
                "application/x-protobuf", "application/javascript")  # fmt: skip


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def takes(content: Content, content_type: str, body: bytes) -> bool:
    """Whether a body of this type is in the format `content`. Types that say nothing (text/plain, octets, none) are
    JSON when the body begins like it: some vendors send it so."""
    kind = media_type(content_type)
    if content is Content.FORM:
        return kind in (_FORM, "")
    if content is Content.XML:
        return _is_xml(kind) or kind == ""
    if "json" in kind:
        return True
    if _is_xml(kind) or kind in _OTHER_TYPES or kind.startswith(_OTHER_FORMATS):
        return False
    return kind == "" or body.removeprefix(BOM_UTF8).lstrip()[:1] in (b"{", b"[")


def _is_xml(kind: str) -> bool:
    return kind in ("text/xml", "application/xml") or kind.endswith("+xml")
