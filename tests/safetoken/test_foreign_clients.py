"""The WSDL and the server as foreign software takes them: gSOAP, WCF, JAX-WS, PHP, node and zeep, each as it is sold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import zeep

from strongroom.safetoken.samples import sample_request
from tests.rules.source import ROOT
from tests.safetoken.conftest import FORM, Bank, prefix_of
from tests.safetoken.document import SEED, add_response, sample_python, sample_requests
from tests.safetoken.served import Served
from tests.safetoken.test_enrolment import luhn

CLIENTS = Path(__file__).with_name("clients")
_JAVA = """jaxws-tools jaxws-rt jaxws-api jaxb-xjc jaxb-jxc jaxb-runtime jaxb-core jaxb-api saaj-impl javax.activation gmbal
           istack-commons-runtime istack-commons-tools stax-ex streambuffer metro-policy FastInfoset mimepull ha-api management-api
           txw2 rngom dtd-parser xsom relaxng-datatype codemodel javax.annotation-api javax.jws-api jws-api
           woodstox-core stax2-api"""

Call = Callable[[str, str, int, str], str]
_numbers = iter(range(500_000_000, 600_000_000))


def run(command: list[str], folder: Path, **more: Any) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, **more)
    assert done.returncode == 0, f"{' '.join(command)[:300]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def wsdl_file(served: Served, folder: Path) -> Path:
    path = folder / "safetoken.wsdl"
    path.write_text(httpx.get(f"{served.url}/api/v1/safetoken?wsdl", trust_env=False).text)
    return path


def build_c(served: Served, folder: Path) -> Call:
    wsdl_file(served, folder)
    run(["wsdl2h", "-c", "-o", "safetoken.h", "safetoken.wsdl"], folder)
    run(["soapcpp2", "-c", "-a", "-C", "-L", "-x", "-I/usr/share/gsoap/import:/usr/share/gsoap", "safetoken.h"], folder)
    sources = [str(CLIENTS / "client.c"), "soapC.c", "soapClient.c"]
    run(["gcc", "-O0", "-w", "-I.", "-I/usr/share/gsoap", *sources, "-o", "client", "-lgsoap"], folder)
    return lambda url, token, bank, pan: run(["./client", url, token, str(bank), pan], folder)


def build_csharp(served: Served, folder: Path) -> Call:
    run(["svcutil", f"{served.url}/api/v1/safetoken?wsdl", "-out:Stub.cs", "-noConfig"], folder)
    run(
        ["mcs", "-out:client.exe", "-r:System.ServiceModel,System.Runtime.Serialization", "Stub.cs", str(CLIENTS / "Client.cs")],
        folder,
    )
    return lambda url, token, bank, pan: run(["mono", "client.exe", url, token, str(bank), pan], folder)


def build_java(served: Served, folder: Path) -> Call:
    wsdl_file(served, folder)
    jars = ":".join(str(jar) for name in _JAVA.split() if (jar := Path(f"/usr/share/java/{name}.jar")).exists())
    wsimport = ["java", "-cp", jars, "com.sun.tools.ws.WsImport", "-p", "generated", "-Xnocompile", "-s", ".", "safetoken.wsdl"]
    run(wsimport, folder)
    generated = [str(path.relative_to(folder)) for path in folder.glob("generated/*.java")]
    run(["javac", "-nowarn", "-cp", jars, "-d", ".", *generated, str(CLIENTS / "Client.java")], folder)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f".:{jars}", "Client"]
    return lambda url, token, bank, pan: run([*command, f"{url}?wsdl", token, str(bank), pan], folder)


def build_php(served: Served, folder: Path) -> Call:
    return lambda url, token, bank, pan: run(["php", str(CLIENTS / "client.php"), f"{url}?wsdl", token, str(bank), pan], folder)


def build_node(served: Served, folder: Path) -> Call:
    environment = os.environ | {"NODE_PATH": str(ROOT / "tests" / "node" / "node_modules")}
    node = str(Path(sys.executable).with_name("node"))
    command = [node, str(CLIENTS / "client.js")]
    return lambda url, token, bank, pan: run([*command, f"{url}?wsdl", token, str(bank), pan], folder, env=environment)


def build_zeep(served: Served, folder: Path) -> Call:
    def call(url: str, token: str, bank: int, pan: str) -> str:
        session = requests.Session()
        session.trust_env = False
        session.headers["authorization"] = f"Bearer {token}"
        client = zeep.Client(f"{url}?wsdl", transport=zeep.Transport(session=session))
        answer = client.service.AddCardHolder(
            request={
                "TerminalId": "3IWPDVNA", "BankId": bank, "CardPan": pan, "City": "lag", "IsApprovedAndEnabled": True,
                "PrimaryMobileNumber": "2347908516601", "RegistrationChannel": 9,
            }
        )  # fmt: skip
        return f"{answer.ResponseCode}|{answer.ResponseDescription or ''}\n"

    return call


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(build_c, marks=pytest.mark.needs("soapcpp2"), id="gsoap"),
        pytest.param(build_csharp, marks=pytest.mark.needs("svcutil"), id="wcf"),
        pytest.param(build_java, marks=pytest.mark.needs("javac"), id="jaxws"),
        pytest.param(build_php, marks=pytest.mark.needs("php"), id="php"),
        pytest.param(build_node, id="node"),
        pytest.param(build_zeep, id="zeep"),
    ],
)
async def test_a_foreign_client_enrols_a_card_and_is_told_what_is_wrong_with_another(
    served: Served, bank: Bank, tmp_path: Path, build: Callable[[Served, Path], Call]
):
    call = build(served, tmp_path)
    url, token, number = f"{served.url}/api/v1/safetoken", await bank.token(), bank.issuer.bank_id
    pan = luhn(f"{prefix_of(number)}{next(_numbers)}")
    assert call(url, token, number, pan).strip() == "90000|"
    told = call(url, token, number, "50618310000000152048").strip()  # node-soap trims what it reads
    assert told == "10002|Invalid Card PAN: 506183******2048,"


# The document's own samples, unchanged but for the base URL.


@pytest.fixture
def documents_program(served: Served) -> str:
    program = sample_python()
    if program is None:
        pytest.skip("the document is not at hand")
    return program.replace("https://sandbox.interswitchng.com", served.url)


@pytest.mark.skipif(not SEED.is_file(), reason="the document is not at hand")
def test_the_documents_own_program_and_request_run_unchanged(
    served: Served, printed_bank: Bank, documents_program: str, tmp_path: Path
):
    (tmp_path / "sample.py").write_text(documents_program)
    said = run([sys.executable, "sample.py"], tmp_path, env={"NO_PROXY": "*", "PATH": os.environ["PATH"]})
    token = re.search(r'"access_token":"([^"]+)"', said)
    assert token, said
    headers = {"content-type": "text/xml", "soapaction": "AddCardHolder", "authorization": f"Bearer {token[1]}"}
    answer = httpx.post(
        f"{served.url}/api/v1/safetoken", content=sample_requests() or sample_request(), headers=headers, trust_env=False
    )
    assert (answer.status_code, answer.text) == (200, add_response("90000"))


def test_our_programs_ask_for_the_token_as_the_document_does(served: Served, printed_bank: Bank):
    answer = httpx.post(
        f"{served.url}/passport/oauth/token",
        content="grant_type=client_credentials",
        headers=printed_bank.basic | FORM,
        trust_env=False,
    )
    assert answer.json()["merchant_code"] == "MX10003"
