"""The one XML reader: bytes of a stranger become a small tree of elements, within limits that are checked while parsing.

expat tells of every start and end as it comes, so a document that breaks a limit is left at that point: a document type at its
first word (no entity is ever declared), the 513th element, the 33rd level. The encoding is fixed before parsing: expat
reads UTF-8 and nothing else, so there is no reading of the bytes in which another document type could hide. Every parser has
names of its own and takes them with it; libxml2's would keep every name that any stranger ever sent (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence
from pyexpat import ExpatError, ParserCreate, XMLParserType
from typing import Final, NoReturn

from strongroom.soap.names import XSI

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 512
MAX_ATTRIBUTES: Final = 64
MAX_NAMESPACES: Final = 64  # in scope at one element

_SEPARATOR = " "  # expat refuses it inside a namespace, where no URI may have it


class XmlRefused(ValueError):
    """The bytes are not an XML document that is read here; the message says why, and shows nothing of them."""


class Attribute:
    """One attribute; without a prefix it has no namespace."""

    __slots__ = ("local", "namespace", "prefix", "value")

    def __init__(self, name: Sequence[str], value: str) -> None:
        self.namespace, self.local, self.prefix = name
        self.value = value


class Element:
    """One element. `scope` maps every prefix in scope to its namespace ("" is the default's prefix, or no namespace)."""

    __slots__ = ("attributes", "children", "has_comment", "local", "namespace", "prefix", "scope")

    def __init__(
        self,
        name: Sequence[str],
        attributes: Sequence[Attribute],
        scope: dict[str, str],
    ) -> None:
        self.namespace, self.local, self.prefix = name
        self.attributes = attributes
        self.scope = scope
        self.children: list[Element | str] = []
        self.has_comment = False

    @property
    def elements(self) -> list[Element]:
        """Return the child elements."""
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """Return the text. Raise XmlRefused when an element or a comment divides it: readers would not agree on what it says."""
        if self.has_comment:
            raise _divided(self.local)
        text = ""
        for child in self.children:
            if isinstance(child, Element):
                raise _divided(self.local)
            text += child
        return text

    @property
    def is_nil(self) -> bool:
        """True when the element says that it has no value (xsi:nil)."""
        return bool(self.attributes) and self.get("nil", XSI) in ("true", "1")

    def find(self, local: str, namespace: str | None = None) -> Element | None:
        """Return the first child element of that name, in that namespace or in any."""
        for child in self.children:
            if isinstance(child, Element) and child.local == local and namespace in (None, child.namespace):
                return child
        return None

    def get(self, local: str, namespace: str = "") -> str | None:
        """Return the value of an attribute."""
        for attribute in self.attributes:
            if attribute.local == local and attribute.namespace == namespace:
                return attribute.value
        return None

    def within(self) -> list[Element]:
        """Return the element and all elements inside it, in document order."""
        found: list[Element] = []
        waiting = [self]
        while waiting:
            element = waiting.pop()
            found.append(element)
            waiting.extend(reversed(element.elements))
        return found


def read(raw: bytes, *, max_bytes: int = MAX_BYTES) -> Element:
    """Read a document and return its root element. Raise XmlRefused."""
    if len(raw) > max_bytes:
        raise XmlRefused(f"The document may have at most {max_bytes} bytes")
    if b"\0" in raw or raw.startswith(
        (b"\xff\xfe", b"\xfe\xff")
    ):  # by these expat would begin to read UTF-16, whatever it was told
        raise XmlRefused("Only XML 1.0 in UTF-8 is read")
    parser = ParserCreate("utf-8", _SEPARATOR)
    parser.namespace_prefixes = True
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.XmlDeclHandler = _check_declaration
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.ProcessingInstructionHandler = _refuse_instruction
    outside = _grow(parser)
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - the C function takes "this is all" by position only
    except ExpatError:
        raise XmlRefused("The document is not well-formed XML in UTF-8") from None
    root = outside.children[0]
    assert isinstance(root, Element)  # noqa: S101 - expat finds a document without an element not well-formed
    return root


def _grow(parser: XMLParserType) -> Element:
    """Let the parser build the tree inside the element returned. Closures, for these run some hundred times a message."""
    outside = current = Element(("", "", ""), (), {"": ""})
    around: list[Element] = []
    declared: dict[str, str] = {}
    count = 0

    def start(name: str, given: list[str]) -> None:
        nonlocal current, declared, count
        count += 1
        around.append(current)
        if count > MAX_ELEMENTS or len(around) > MAX_DEPTH or len(given) > 2 * MAX_ATTRIBUTES:
            _refuse_size()
        scope = current.scope
        if declared:
            scope = {**scope, **declared}
            declared = {}
            if len(scope) > MAX_NAMESPACES:
                _refuse_size()
        element = Element(_split(name), _attributes(given) if given else (), scope)
        current.children.append(element)
        current = element

    def end(_: str) -> None:
        nonlocal current
        current = around.pop()

    def namespace(prefix: str | None, uri: str | None) -> None:
        if len(declared) >= MAX_NAMESPACES:
            _refuse_size()
        declared[prefix or ""] = uri or ""

    def characters(text: str) -> None:
        current.children.append(text)

    def comment(_: str) -> None:
        current.has_comment = True

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.CommentHandler = comment
    parser.StartNamespaceDeclHandler = namespace
    return outside


def _attributes(given: list[str]) -> list[Attribute]:
    return [Attribute(_split(given[at]), given[at + 1]) for at in range(0, len(given), 2)]


def _split(name: str) -> Sequence[str]:
    """Return namespace, local name and prefix of what expat calls a name: `local`, `namespace local` or all three."""
    parts = name.split(_SEPARATOR)
    if len(parts) == 3:  # noqa: PLR2004 - the third part is the prefix
        return parts
    return ("", name, "") if len(parts) == 1 else (*parts, "")


def _check_declaration(version: str, encoding: str | None, _: int) -> None:
    if version != "1.0" or (encoding or "utf-8").lower() not in ("utf-8", "us-ascii"):
        raise XmlRefused("Only XML 1.0 in UTF-8 is read")


def _divided(local: str) -> XmlRefused:
    return XmlRefused(f"{local} must hold a plain text")


def _refuse_size() -> NoReturn:
    raise XmlRefused(
        f"The document may have at most {MAX_ELEMENTS} elements, {MAX_DEPTH} levels, and {MAX_ATTRIBUTES} attributes"
        f" and {MAX_NAMESPACES} namespaces at an element"
    )


def _refuse_document_type(*_: object) -> NoReturn:
    raise XmlRefused("A document type is not allowed")


def _refuse_instruction(*_: object) -> NoReturn:
    raise XmlRefused("A processing instruction is not allowed")
