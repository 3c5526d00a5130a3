"""The shapes of the REST service: what is written is the contract's, what is read may be nearly anything."""

from __future__ import annotations

import pytest

from strongroom.issuing.connectors import answers
from strongroom.issuing.connectors import rest_payloads as payloads
from strongroom.issuing.port import CardPrompt, TokenType


def test_questions_are_compact_xml_without_a_declaration():
    assert payloads.write_xml("RequestDetails", {"CardPan": "5061"}) == b"<RequestDetails><CardPan>5061</CardPan></RequestDetails>"
    written = payloads.write_xml("RequestDetails", {"UserId": "a<&>b", "Otp": "459235"})
    assert written == b"<RequestDetails><UserId>a&lt;&amp;&gt;b</UserId><Otp>459235</Otp></RequestDetails>"


@pytest.mark.parametrize(
    "answer",
    [
        b"<Response><ResponseCode>90000</ResponseCode></Response>",
        b'<?xml version="1.0"?>\n<x:Any xmlns:x="urn:x"><x:Inner><x:ResponseCode>90000</x:ResponseCode></x:Inner></x:Any>',
        b'<?xml version="1.0" encoding="US-ASCII"?><R><ResponseCode>90000</ResponseCode></R>',
        b"\xef\xbb\xbf<R><ResponseCode>90000</ResponseCode><ResponseCode>80001</ResponseCode></R>",
    ],
)
def test_answers_are_read_whatever_their_root_and_namespace(answer):
    assert answers.verdict(payloads.read_xml(answer)).is_right


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<R>", b"not xml", b"<R/>", b"<R><ResponseCode/></R>",
        b"<!DOCTYPE R><R><ResponseCode>90000</ResponseCode></R>",
        b'<!DOCTYPE R [<!ENTITY c "90000">]><R><ResponseCode>&c;</ResponseCode></R>',
        "<?xml version='1.0' encoding='utf-16'?><R><ResponseCode>90000</ResponseCode></R>".encode("utf-16"),
        b"<R><ResponseCode>900<!-- -->00</ResponseCode></R>",
        b"<R>" * 9 + b"<ResponseCode>90000</ResponseCode>" + b"</R>" * 9,
        b"<R>" + b"<x/>" * 200 + b"<ResponseCode>90000</ResponseCode></R>",
    ],
)  # fmt: skip
def test_what_is_not_a_plain_small_answer_is_unreadable(answer):
    with pytest.raises(answers.Unreadable):
        answers.verdict(payloads.read_xml(answer))


@pytest.mark.parametrize(
    "answer", [b'{"ResponseCode":"90000"}', b'{"ResponseCode":90000}', b'{"Response":{"ResponseCode":"90000"}}']
)
def test_json_codes_may_be_texts_or_numbers(answer):
    assert answers.verdict(payloads.read_json(answer)).is_right


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{", b'{"ResponseCode":true}', b'{"ResponseCode":null}', b'{"ResponseCode":[90000]}']
)
def test_json_without_a_code_is_unreadable(answer):
    with pytest.raises(answers.Unreadable):
        answers.verdict(payloads.read_json(answer))


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"TokenType": "1"}, TokenType.HARDWARE), ({"TokenType": "2"}, TokenType.SMS), ({}, TokenType.HARDWARE),
        ({"PhoneNumber": "080"}, TokenType.SMS), ({"TokenType": "7", "PhoneNumber": "080"}, TokenType.HARDWARE),
    ],
)  # fmt: skip
def test_the_kind_of_token_is_read_or_follows_from_the_phone(members, kind):
    found = answers.card_answer({"ResponseCode": "90000", **members})
    assert isinstance(found, CardPrompt)
    assert found.token_type is kind
