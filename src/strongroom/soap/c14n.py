"""Exclusive XML Canonicalization 1.0 without comments, over the one tree that everything here works on.

libxml2 refuses to canonicalise a document with a relative namespace URI, and the contract's main namespace is one. What is
canonical here is what was read: there is no second parser whose reading a signature could cover instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from strongroom.soap.reading import Element

DEFAULT = "#default"  # how an InclusiveNamespaces PrefixList names the default namespace
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_IN_VALUE = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"})


def canonicalise(apex: Element, inclusive_prefixes: Collection[str] = ()) -> bytes:
    """Return the canonical form of an element and all inside it (exc-c14n §3).

    Prefixes on the list are declared wherever they are in scope, all others where they are used.
    """
    out: list[str] = []
    _write(apex, None, {"": ""}, frozenset("" if prefix == DEFAULT else prefix for prefix in inclusive_prefixes), out)
    return "".join(out).encode()


def _write(
    element: Element, around: Mapping[str, str] | None, written: Mapping[str, str], inclusive: frozenset[str], out: list[str]
) -> None:
    """Write one element. `written` are the namespaces that the output around it has declared; the reader limits the depth."""
    name = f"{element.prefix}:{element.local}" if element.prefix else element.local
    declared = _declarations(element, around, written, inclusive)
    out.append(f"<{name}")
    for prefix in sorted(declared):
        attribute = f"xmlns:{prefix}" if prefix else "xmlns"
        out.append(f' {attribute}="{declared[prefix].translate(_IN_VALUE)}"')
    for one in sorted(element.attributes, key=lambda attribute: (attribute.namespace, attribute.local)):
        attribute = f"{one.prefix}:{one.local}" if one.prefix else one.local
        out.append(f' {attribute}="{one.value.translate(_IN_VALUE)}"')
    out.append(">")
    inside = {**written, **declared} if declared else written
    for child in element.children:
        if isinstance(child, str):
            out.append(child.translate(_IN_TEXT))
        else:
            _write(child, element.scope, inside, inclusive, out)
    out.append(f"</{name}>")


def _declarations(
    element: Element, around: Mapping[str, str] | None, written: Mapping[str, str], inclusive: frozenset[str]
) -> dict[str, str]:
    """Return the namespaces to declare at an element: what it uses or the list names, unless the output has it so already.

    `around` is the scope of the element around it in the output: where it is the same, the list has been seen to.
    """
    wanted = {element.prefix, *(one.prefix for one in element.attributes if one.prefix)}
    if element.scope is not around:
        wanted |= inclusive & element.scope.keys()
    wanted.discard("xml")
    return {prefix: uri for prefix in wanted if written.get(prefix) != (uri := element.scope[prefix])}
