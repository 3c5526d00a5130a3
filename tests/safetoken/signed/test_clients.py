"""Foreign software that signs: gSOAP's wsse plugin and WSS4J, over mutual TLS, each verifying our answers by its own means."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from strongroom.safetoken.wsdl import write_wsdl
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import Bank
from tests.safetoken.served import Served
from tests.safetoken.signed.bank import PATH, SigningBank, open_signing
from tests.safetoken.test_foreign_clients import CLIENTS, run

G = Path("/usr/share/gsoap")
PLUGINS = [str(G / "plugin" / f"{name}.c") for name in ("wsseapi", "smdevp", "mecevp", "threads")]


@pytest.fixture(scope="session")
def gsoap_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the C program, built from the WSDL and the distribution's plugin."""
    folder = tmp_path_factory.mktemp("gsoap-wsse")
    (folder / "safetoken.wsdl").write_text(write_wsdl("https://localhost"))
    run(["wsdl2h", "-c", "-o", "stub.h", "safetoken.wsdl"], folder)
    (folder / "signing.h").write_text('#import "wsse.h"\n' + (folder / "stub.h").read_text())
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
async def test_gsoap_is_refused_with_a_password_digest_and_with_sha256(signing: SigningBank, gsoap_client: Path):
    assert "PasswordDigest is SHA-1" in call_gsoap(gsoap_client, signing, "digest")
    assert "SHA-256 counts where" in call_gsoap(gsoap_client, signing, "sha256")


@pytest.mark.needs("soapcpp2")
async def test_gsoap_signs_by_sha256_where_the_issuer_allows_it(served: Served, bank: Bank, signer: Identity, gsoap_client: Path):
    async with open_signing(served, bank, signer, allow_sha256=True) as signing:
        assert call_gsoap(gsoap_client, signing, "sha256") == "90000|"
