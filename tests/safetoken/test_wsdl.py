"""The WSDL: served, kept in the documents, and saying what the server reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

from strongroom.safetoken.members import BASE, MEMBERS, SERVICES, TECHQUEST
from strongroom.safetoken.operations import NAMES
from strongroom.safetoken.samples import SAMPLE, sample_request
from strongroom.safetoken.wsdl import write_issuer_wsdl, write_wsdl
from tests.rules.source import ROOT
from tests.safetoken.conftest import BASE as BASE_URL
from tests.safetoken.conftest import Bank

PRINTED_BASE = "https://saturn.interswitchng.com"
KEPT = {
    "safetoken.wsdl": write_wsdl(PRINTED_BASE),
    "safetoken-reliable.wsdl": write_wsdl(PRINTED_BASE, is_reliable=True),
    "safetoken-issuer.wsdl": write_issuer_wsdl(PRINTED_BASE),
}
NS = {"xs": "http://www.w3.org/2001/XMLSchema", "wsdl": "http://schemas.xmlsoap.org/wsdl/"}


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_wsdl_is_the_one_that_is_served(name: str):
    path = ROOT / "docs" / "integrate" / name
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(KEPT[name])
    assert path.read_text() == KEPT[name], "run with UPDATE_DOCS=1"


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "singleWsdl"])
async def test_anybody_may_read_the_wsdl_and_it_names_our_address(bank: Bank, query: str):
    answer = await bank.http.get(f"/api/v1/safetoken?{query}")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.text == write_wsdl(BASE_URL)


async def test_the_address_for_sequences_has_a_wsdl_of_its_own_that_differs_by_the_policy_and_the_address(bank: Bank):
    answer = await bank.http.get("/api/v1/safetoken/reliable?wsdl")
    assert answer.text == write_wsdl(BASE_URL, is_reliable=True)
    root, plain = (etree.fromstring(write_wsdl(BASE_URL, is_reliable=which).encode()) for which in (True, False))
    names = {**NS, "wsp": "http://www.w3.org/ns/ws-policy"}
    asserted = root.xpath("//*[local-name() = 'RMAssertion']")
    assert [etree.QName(one).namespace for one in asserted] == [
        "http://docs.oasis-open.org/ws-rx/wsrmp/200702",
        "http://schemas.xmlsoap.org/ws/2005/02/rm/policy",
    ]
    [reference] = root.xpath("//wsdl:binding/wsp:PolicyReference/@URI", namespaces=names)
    [policy] = root.xpath("//wsp:Policy[@*]", namespaces=names)
    assert reference == f"#{policy.get('{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id')}"
    for extra in (policy, *root.xpath("//wsp:PolicyReference", namespaces=names)):
        extra.getparent().remove(extra)
    for one in (root, plain):
        [address] = one.xpath("//*[local-name() = 'address']")
        address.set("location", "")
    assert etree.tostring(root).split() == etree.tostring(plain).split()


@pytest.mark.parametrize("query", ["", "?wsdl=1", "?xsd"])
async def test_anything_else_is_not_there(bank: Bank, query: str):
    answer = await bank.http.get(f"/api/v1/safetoken{query}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")


def test_the_schemas_hold_the_documents_members_in_its_order():
    root = etree.fromstring(write_wsdl(BASE_URL).encode())
    found = []
    for namespace, kind in ((BASE, "BaseRequest"), (TECHQUEST, "CardHolder")):
        path = f"//xs:schema[@targetNamespace='{namespace}']/xs:complexType[@name='{kind}']//xs:element/@name"
        found += root.xpath(path, namespaces=NS)
    assert found == [member.name for member in MEMBERS] == list(SAMPLE)
    assert root.xpath("//wsdl:portType/wsdl:operation/@name", namespaces=NS) == list(NAMES)


def test_every_schema_accepts_what_it_should(tmp_path: Path):
    """The document's sample is valid by the schemas, and a request without a card is not."""
    root = etree.fromstring(write_wsdl(BASE_URL).encode())
    schemas = root.findall(".//xs:schema", NS)
    files = {schema.get("targetNamespace"): tmp_path / f"{at}.xsd" for at, schema in enumerate(schemas)}
    for schema in schemas:
        for wanted in schema.findall("xs:import", NS):
            wanted.set("schemaLocation", str(files[wanted.get("namespace")]))
        files[schema.get("targetNamespace")].write_bytes(etree.tostring(schema))
    validator = etree.XMLSchema(etree.parse(str(files[SERVICES])))
    good = etree.fromstring(sample_request().encode())[1][0]
    assert validator.validate(good), validator.error_log
    bad = etree.fromstring(sample_request(members={"BankId": "8"}).encode())[1][0]
    assert not validator.validate(bad)
    assert good.tag == f"{{{SERVICES}}}AddCardHolder"
