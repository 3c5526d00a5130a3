"""Foreign software that signs: gSOAP's wsse plugin and WSS4J, over mutual TLS, each verifying our answers by its own means."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from strongroom.safetoken.wsdl import write_wsdl
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import Bank
from tests.safetoken.served import Served
from tests.safetoken.signed.bank import PATH, SigningBank, open_signing
from tests.safetoken.signed.by_hand import SERVICES, SOAP, WSA, enrolment
from tests.safetoken.test_foreign_clients import CLIENTS, run

G = Path("/usr/share/gsoap")
_JARS = ":".join(f"/usr/share/java/{name}.jar" for name in ("wss4j", "xmlsec", "commons-logging", "slf4j-api", "slf4j-nop"))
PLUGINS = [str(G / "plugin" / f"{name}.c") for name in ("wsseapi", "smdevp", "mecevp", "wsaapi", "threads")]
_ADDRESSING = ("MessageID", "RelatesTo", "From", "ReplyTo", "FaultTo", "To", "Action")


@pytest.fixture(scope="session")
def gsoap_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the C program, built from the WSDL and the distribution's plugin."""
    folder = tmp_path_factory.mktemp("gsoap-wsse")
    (folder / "safetoken.wsdl").write_text(write_wsdl("https://localhost"))
    run(["wsdl2h", "-c", "-o", "stub.h", "safetoken.wsdl"], folder)
    headers = "".join(f"//gsoap ns1 service method-header-part: AddCardHolder wsa5__{name}\n" for name in _ADDRESSING)
    (folder / "signing.h").write_text(f'#import "wsa5.h"\n#import "wsse.h"\n{(folder / "stub.h").read_text()}{headers}')
    run(["soapcpp2", "-c", "-a", "-C", "-L", "-x", f"-I{G}/import:{G}", "signing.h"], folder)
    flags = ["-O0", "-w", "-DWITH_OPENSSL", "-DWITH_DOM", "-I.", f"-I{G}/plugin", f"-I{G}"]
    sources = [str(CLIENTS / "signing.c"), "soapC.c", "soapClient.c", *PLUGINS, str(G / "custom" / "struct_timeval.c")]
    run(["gcc", *flags, *sources, "-o", "signing", "-lgsoapssl", "-lssl", "-lcrypto", "-lpthread"], folder)
    return folder / "signing"


def call_gsoap(program: Path, signing: SigningBank, what: str = "sign") -> str:
    """Return what the program says, or the fault that it prints."""
    identity = signing.identity
    both = program.with_name("both.pem")
    both.write_bytes(identity.key_file.read_bytes() + identity.pem)
    arguments = [
        f"{signing.served.tls_url}{PATH}", signing.token, str(signing.bank.issuer.bank_id), signing.members()["CardPan"],
        str(identity.certificate_file), str(identity.key_file), str(both), str(signing.served.authority.file), what,
    ]  # fmt: skip
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.needs("soapcpp2")
async def test_gsoap_signs_the_body_with_sha512_and_verifies_our_answer(signing: SigningBank, gsoap_client: Path):
    assert call_gsoap(gsoap_client, signing) == "90000|"
    assert "FailedCheck" in call_gsoap(gsoap_client, signing, "spoil")  # gSOAP's own fault: it does look at our signature


@pytest.mark.needs("soapcpp2")
async def test_gsoap_signs_its_addressing_headers_and_verifies_ours(signing: SigningBank, gsoap_client: Path):
    assert call_gsoap(gsoap_client, signing, "addressed") == "90000|"


@pytest.mark.needs("soapcpp2")
async def test_gsoap_is_refused_with_a_password_digest_and_with_sha256(signing: SigningBank, gsoap_client: Path):
    assert "PasswordDigest is SHA-1" in call_gsoap(gsoap_client, signing, "digest")
    assert "SHA-256 counts where" in call_gsoap(gsoap_client, signing, "sha256")


@pytest.mark.needs("soapcpp2")
async def test_gsoap_signs_by_sha256_where_the_issuer_allows_it(served: Served, bank: Bank, signer: Identity, gsoap_client: Path):
    async with open_signing(served, bank, signer, allow_sha256=True) as signing:
        assert call_gsoap(gsoap_client, signing, "sha256") == "90000|"


@pytest.fixture(scope="session")
def wss4j(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the compiled Java program."""
    folder = tmp_path_factory.mktemp("wss4j")
    run(["javac", "-nowarn", "-cp", _JARS, "-d", ".", str(CLIENTS / "Signing.java")], folder)
    return folder


def call_wss4j(folder: Path, signing: SigningBank, text: str, what: str) -> str:
    """Return what the program says, or its stack trace."""
    identity = signing.identity
    (folder / "message.xml").write_text(text)
    sealed = BestAvailableEncryption(b"secret")
    store = pkcs12.serialize_key_and_certificates(b"bank", identity.key, identity.certificate, None, sealed)
    (folder / "keys.p12").write_bytes(store)
    if not (folder / "trust.p12").exists():
        trust = ["-importcert", "-noprompt", "-alias", "authority", "-file", str(signing.served.authority.file)]
        run(["keytool", *trust, "-keystore", "trust.p12", "-storetype", "PKCS12", "-storepass", "secret"], folder)
    arguments = [f"{signing.served.tls_url}{PATH}", signing.token, "message.xml", "keys.p12", "trust.p12", what]
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f".:{_JARS}", "Signing", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout.strip() or done.stderr


def addressed(operation: str) -> str:
    """Return a message with addressing headers, not signed yet."""
    headers = f"<a:Action>{SERVICES}AddCardHolder</a:Action><a:To>https://localhost{PATH}</a:To><a:MessageID>urn:uuid:{uuid4()}</a:MessageID>"
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Header xmlns:a="{WSA}">{headers}</s:Header><s:Body>{operation}</s:Body></s:Envelope>'


@pytest.mark.needs("javac")
async def test_wss4j_signs_timestamp_and_headers_and_verifies_our_answer(served: Served, bank: Bank, signer: Identity, wss4j: Path):
    async with open_signing(served, bank, signer, caller_security="timestamp") as signing:
        said = call_wss4j(wss4j, signing, addressed(enrolment(signing.members())), "headers")
    code, _, signed = said.partition(" signed: ")
    assert (code, set(signed.split())) == ("90000", {"Timestamp", "Action", "RelatesTo"}), said


@pytest.mark.needs("javac")
async def test_wss4j_cannot_sign_a_body_in_the_relative_namespace_and_so_the_other_level_exists(signing: SigningBank, wss4j: Path):
    said = call_wss4j(wss4j, signing, addressed(enrolment(signing.members())), "body")
    assert "relative" in said.lower(), said
