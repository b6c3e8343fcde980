"""A small tree of an XML document, from a parser that refuses any DTD, so that no entity can grow or reach out."""

from xml.parsers.expat import ExpatError, ParserCreate

import msgspec

from services.ingest.sources.base import Unprocessable

MAX_DEPTH = 50


class Element(msgspec.Struct):
    """Names are local ones; namespaces are left out. `text` is that of an element without children."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = []
    text: str = ""

    def child(self, name: str) -> "Element | None":
        for one in self.children:
            if one.name == name:
                return one
        return None

    def children_named(self, name: str) -> list["Element"]:
        return [one for one in self.children if one.name == name]

    def text_of(self, name: str) -> str | None:
        found = self.child(name)
        return found.text if found is not None else None

    def descendant(self, name: str) -> "Element | None":
        """The first of that name, this one included."""
        if self.name == name:
            return self
        for one in self.children:
            if (found := one.descendant(name)) is not None:
                return found
        return None


def parse_xml(body: bytes) -> Element:
    """The root. Raises Unprocessable for a DTD, for nesting beyond MAX_DEPTH and for what is not XML."""
    root = Element("", {})
    open_elements = [root]
    pieces: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > MAX_DEPTH:
            raise Unprocessable("The XML is nested too deeply.")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        open_elements[-1].children.append(element)
        open_elements.append(element)
        pieces.clear()

    def end(_: str) -> None:
        element = open_elements.pop()
        if not element.children:
            element.text = "".join(pieces)

    def refuse(*_: object) -> None:
        raise Unprocessable("XML with a DTD is not taken.")

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = pieces.append
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, ValueError, LookupError):
        raise Unprocessable("The body is not XML.") from None
    return root


def _local(name: str) -> str:
    return name[name.rfind(":") + 1 :]
