"""The issuer's service by SOAP: by hand, signed, and as foreign software takes its WSDL."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests
import zeep

from strongroom.soap.envelopes import parse
from strongroom.soap.security import Level, Policy
from strongroom.soap.verifying import verify
from tests.rules.source import ROOT
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import Bank
from tests.safetoken.hubs.conftest import Service, open_service, shown
from tests.safetoken.served import Served
from tests.safetoken.signed.by_hand import Message
from tests.safetoken.test_foreign_clients import CLIENTS, run

ISSUER = "http://techquest.interswitchng.com/"
SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"


def question(operation: str, **members: str) -> str:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return f'<{operation} xmlns="{ISSUER}"><RequestDetails>{inside}</RequestDetails></{operation}>'


def envelope(body: str, namespace: str = SOAP_11) -> str:
    return f'<s:Envelope xmlns:s="{namespace}"><s:Body>{body}</s:Body></s:Envelope>'


def post(service: Service, text: str, identity: Identity | None = None, **headers: str) -> httpx.Response:
    with service.client(identity) as client:
        return client.post(f"{service.path}/soap", content=text, headers={"content-type": "text/xml", **headers})


async def test_both_questions_are_answered_in_the_callers_version(service: Service):
    asked = envelope(question("ValidateCard", CardPan=service.device_pan))
    answer = post(service, asked, soapaction='"ValidateCard"')
    assert answer.text == envelope(
        f'<ValidateCardResponse xmlns="{ISSUER}"><Response><ResponseCode>90000</ResponseCode><TokenType>1</TokenType>'
        "<AdditionalInfo>Enter the code that your device shows</AdditionalInfo></Response></ValidateCardResponse>"
    )
    typed = envelope(question("AuthenticateOTP", UserId=service.device_pan, Otp=shown()), SOAP_12)
    answer = post(service, typed, **{"content-type": "application/soap+xml; action=AuthenticateOTP"})
    assert answer.text == envelope(
        f'<AuthenticateOTPResponse xmlns="{ISSUER}"><Response><ResponseCode>90000</ResponseCode></Response>'
        "</AuthenticateOTPResponse>",
        SOAP_12,
    )
    assert "80001" in post(service, envelope(question("AuthenticateOTP", UserId=service.device_pan, Otp=shown()))).text


async def test_what_is_no_question_is_a_fault_and_what_is_not_complete_is_invalid_data(service: Service):
    for text in (envelope("<ValidateCard/>"), envelope(question("AddCardHolder")), "<x/>", "x" * 70_000):
        answer = post(service, text)
        assert (answer.status_code, "Fault" in answer.text) == (500, True)
    assert "10002" in post(service, envelope(question("ValidateCard", CardPan="1"))).text
    assert post(service, envelope(question("ValidateCard")), soapaction="AuthenticateOTP").status_code == 500


async def test_a_stranger_is_refused_before_the_message_is_read(service: Service):
    stranger = service.served.authority.issue("a soap stranger")
    assert post(service, "no xml", stranger).status_code == 403


async def test_where_the_policy_says_so_hubs_sign_and_our_answers_are_signed(bank: Bank, served: Served, hub: Identity):
    service = await open_service(bank, served, hub, hub_security="body", hub_signer_hashes=[hub.hash])
    operation = question("ValidateCard", CardPan=service.device_pan)
    assert "InvalidSecurity" in post(service, envelope(operation)).text
    message = Message(operation, hub.certificate, hub.key)
    answer = post(service, message.write())
    assert "90000" in answer.text
    ours = Policy(Level.BODY, frozenset({bytes.fromhex(served.identity.hash)}))
    assert verify(parse(answer.content), ours)
    assert "FailedCheck" in post(service, message.write()).text  # counted once
    other = served.authority.issue("another signer")
    assert "FailedAuthentication" in post(service, Message(operation, other.certificate, other.key).write()).text


Call = Callable[[Service, str, str, Path], str]


def wsdl_file(service: Service, folder: Path) -> Path:
    path = folder / "issuer.wsdl"
    path.write_text(httpx.get(f"{service.served.url}{service.path}/soap?wsdl", trust_env=False).text)
    return path


def both_file(service: Service, folder: Path) -> Path:
    path = folder / "both.pem"
    path.write_bytes(service.hub.key_file.read_bytes() + service.hub.pem)
    return path


def call_c(service: Service, url: str, otp: str, folder: Path) -> str:
    run(["wsdl2h", "-c", "-o", "issuer.h", str(wsdl_file(service, folder))], folder)
    run(["soapcpp2", "-c", "-a", "-C", "-L", "-x", "-I/usr/share/gsoap/import:/usr/share/gsoap", "issuer.h"], folder)
    sources = [str(CLIENTS / "hub.c"), "soapC.c", "soapClient.c"]
    flags = ["-O0", "-w", "-DWITH_OPENSSL", "-I.", "-I/usr/share/gsoap"]
    run(["gcc", *flags, *sources, "-o", "hub", "-lgsoapssl", "-lssl", "-lcrypto"], folder)
    return run(["./hub", url, str(both_file(service, folder)), str(service.served.authority.file), service.device_pan, otp], folder)


def call_php(service: Service, url: str, otp: str, folder: Path) -> str:
    files = [str(both_file(service, folder)), str(service.served.authority.file)]
    return run(["php", str(CLIENTS / "hub.php"), str(wsdl_file(service, folder)), url, *files, service.device_pan, otp], folder)


def call_node(service: Service, url: str, otp: str, folder: Path) -> str:
    environment = os.environ | {"NODE_PATH": str(ROOT / "tests" / "node" / "node_modules")}
    node, hub = str(Path(sys.executable).with_name("node")), service.hub
    files = [str(path) for path in (hub.certificate_file, hub.key_file, service.served.authority.file)]
    command = [node, str(CLIENTS / "hub.js"), str(wsdl_file(service, folder)), url, *files, service.device_pan, otp]
    return run(command, folder, env=environment)


def call_zeep(service: Service, url: str, otp: str, folder: Path) -> str:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(service.served.authority.file)
        session.cert = (str(service.hub.certificate_file), str(service.hub.key_file))
        client = zeep.Client(str(wsdl_file(service, folder)), transport=zeep.Transport(session=session))
        proxy = client.create_service(f"{{{ISSUER}}}IssuerServiceBinding", url)
        card = proxy.ValidateCard(RequestDetails={"CardPan": service.device_pan})
        code = proxy.AuthenticateOTP(
            RequestDetails={"UserId": service.device_pan, "Otp": otp}
        )  # of one member zeep gives the member
        return f"{card.ResponseCode}|{card.TokenType}|{card.AdditionalInfo}|{code}"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(call_c, marks=pytest.mark.needs("soapcpp2"), id="gsoap"),
        pytest.param(call_php, marks=pytest.mark.needs("php"), id="php"),
        pytest.param(call_node, id="node"),
        pytest.param(call_zeep, id="zeep"),
    ],
)
async def test_foreign_software_asks_both_questions_over_mutual_tls(service: Service, tmp_path: Path, call: Call):
    url = f"{service.served.tls_url}{service.path}/soap"
    said = call(service, url, shown(), tmp_path).strip()
    assert said == "90000|1|Enter the code that your device shows|90000"


def test_the_wsdl_is_the_fixed_one_at_the_issuers_own_address(service: Service):
    fixed = (ROOT / "docs" / "integrate" / "safetoken-issuer.wsdl").read_text()
    served = httpx.get(f"{service.served.url}{service.path}/soap?wsdl", trust_env=False)
    assert served.headers["content-type"] == "text/xml; charset=utf-8"
    own = f"localhost:{httpx.URL(service.served.url).port}{service.path}/soap"
    assert served.text.strip() == fixed.strip().replace("https://saturn.interswitchng.com/issuer/soap", f"http://{own}")
