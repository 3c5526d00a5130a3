"""Exclusive C14N: the standard's own rules by example, and libxml2's form of random documents."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from strongroom.soap.c14n import canonicalise
from strongroom.soap.reading import Element, read
from tests.soap.c14n_differential import Form, disagreements

DOCUMENTS = 20_000


def test_libxml2_makes_the_same_form_of_twenty_thousand_random_documents() -> None:
    assert next(disagreements(DOCUMENTS, seed=2026), None) is None


def declare_everything(element: Element, prefixes: Collection[str]) -> bytes:
    return canonicalise(element, [*prefixes, *element.scope])


def forget_carriage_returns(element: Element, prefixes: Collection[str]) -> bytes:
    return canonicalise(element, prefixes).replace(b"&#xD;", b"\r")


def ignore_the_list(element: Element, _: Collection[str]) -> bytes:
    return canonicalise(element)


@pytest.mark.parametrize("form", [declare_everything, forget_carriage_returns, ignore_the_list])
def test_a_form_that_is_only_nearly_right_is_found(form: Form) -> None:
    assert next(disagreements(200, seed=2026, form=form), None) is not None


@pytest.mark.parametrize(
    ("text", "place", "prefixes", "form"),
    [
        ("<a/>", 0, (), "<a></a>"),
        ('<p:a xmlns:p="u" xmlns:q="v"><p:b q:x="1"/></p:a>', 0, (), '<p:a xmlns:p="u"><p:b xmlns:q="v" q:x="1"></p:b></p:a>'),
        ('<p:a xmlns:p="u" xmlns:q="v"><p:b/></p:a>', 1, ("q",), '<p:b xmlns:p="u" xmlns:q="v"></p:b>'),
        ('<p:a xmlns="d" xmlns:p="u"><p:b/></p:a>', 1, ("#default",), '<p:b xmlns="d" xmlns:p="u"></p:b>'),
        ('<p:a xmlns="d" xmlns:p="u"><p:b xmlns=""/></p:a>', 1, ("#default",), '<p:b xmlns:p="u"></p:b>'),
        ('<a xmlns="d"><b xmlns=""/></a>', 0, (), '<a xmlns="d"><b xmlns=""></b></a>'),
        ('<a xmlns="d"><b xmlns=""/></a>', 1, (), "<b></b>"),
        ('<a xmlns="u?x=1&amp;y"/>', 0, (), '<a xmlns="u?x=1&amp;y"></a>'),
        ('<a z="1" b:y="2" xmlns:b="w" c:y="3" xmlns:c="v"/>', 0, (), '<a xmlns:b="w" xmlns:c="v" z="1" c:y="3" b:y="2"></a>'),
        ('<a xml:lang="en"><!-- no --><b/></a>', 0, (), '<a xml:lang="en"><b></b></a>'),
        ('<a xmlns="techquest.interswitchng.com"><b/></a>', 1, (), '<b xmlns="techquest.interswitchng.com"></b>'),
    ],
)  # fmt: skip
def test_an_element_has_one_form(text: str, place: int, prefixes: tuple[str, ...], form: str) -> None:
    element: Element = read(text.encode()).within()[place]
    assert canonicalise(element, prefixes).decode() == form


def test_the_form_of_a_form_is_itself() -> None:
    once = canonicalise(read(b'<a t="&#9;&quot;">&#13;&amp;&lt;]]&gt;<![CDATA[<]]></a>'))
    assert canonicalise(read(once)) == once == b'<a t="&#x9;&quot;">&#xD;&amp;&lt;]]&gt;&lt;</a>'
