"""A small tree of an XML document, from a parser that refuses any DTD, so that no entity can grow or reach out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers.expat import ExpatError, ParserCreate

from services.ingest.sources.base import Unprocessable

MAX_DEPTH = 50


@dataclass(slots=True)
class Element:
    """Names are local ones; namespaces are left out."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> "Element | None":
        return next(self.children_named(name), None)

    def children_named(self, name: str) -> Iterator["Element"]:
        return (one for one in self.children if one.name == name)

    def text_of(self, name: str) -> str | None:
        found = self.child(name)
        return found.text if found is not None else None

    def descendant(self, name: str) -> "Element | None":
        """The first of that name, this one included."""
        if self.name == name:
            return self
        return next((found for one in self.children if (found := one.descendant(name)) is not None), None)


def parse_xml(body: bytes) -> Element:
    """The root. Raises Unprocessable for a DTD, for nesting beyond MAX_DEPTH and for what is not XML."""
    root = Element("", {})
    open_elements, pieces = [root], [[""]]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > MAX_DEPTH:
            raise Unprocessable("The XML is nested too deeply.")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        open_elements[-1].children.append(element)
        open_elements.append(element)
        pieces.append([])

    def end(_: str) -> None:
        open_elements.pop().text = "".join(pieces.pop())

    def refuse(*_: object) -> None:
        raise Unprocessable("XML with a DTD is not taken.")

    parser = ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: pieces[-1].append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError):
        raise Unprocessable("The body is not XML.") from None
    return root


def _local(name: str) -> str:
    return name.rpartition(":")[2]
