"""The listener for mutual TLS: who is believed to be whom, and how certificates change while it serves."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from strongroom.access.model import Scope
from strongroom.kit.listener import CertificateFiles, CertificateFilesError, Rotation
from tests.safetoken.authorities import SERVER, Authority, Identity
from tests.safetoken.conftest import ACTOR, Bank
from tests.safetoken.served import Served

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="session")
def holder(served: Served) -> Identity:
    return served.authority.issue("a bank's host")


@pytest.fixture
async def by_certificate(served: Served, bank: Bank, holder: Identity) -> str:
    """Return a client that has no secret and shows the holder's certificate instead."""
    made = await bank.house.clients.create(
        ACTOR, bank.issuer.id, "host", [Scope.SAFETOKEN_ENROL], certificate_hash=bytes.fromhex(holder.hash)
    )
    return made.client_id


def ask(client: httpx.Client, client_id: str, **headers: str) -> int:
    return client.post("/passport/oauth/token", data=GRANT | {"client_id": client_id}, headers=headers).status_code


async def test_the_certificate_that_is_registered_gets_a_token(served: Served, by_certificate: str, holder: Identity):
    with served.client(holder.context(served.authority)) as client:
        assert ask(client, by_certificate) == 200
        assert client.get("/health/ready").headers["strict-transport-security"]


async def test_nobody_is_believed_without_one_and_the_listener_answers_all_the_same(served: Served, by_certificate: str):
    with served.client() as client:
        assert ask(client, by_certificate) == 401
        assert client.get("/passport/oauth/jwks").status_code == 200


async def test_another_certificate_of_the_same_authority_is_somebody_else(served: Served, by_certificate: str):
    with served.client(served.authority.issue("another host").context(served.authority)) as client:
        assert ask(client, by_certificate) == 401


@pytest.mark.parametrize("kind", ["another authority's", "expired", "a server's"])
async def test_a_certificate_that_is_no_good_ends_the_handshake(served: Served, by_certificate: str, kind: str):
    if kind == "another authority's":
        bad = served.other_authority.issue("stranger")
    elif kind == "expired":
        bad = served.authority.issue("late", days=-1)
    else:
        bad = served.authority.issue("a web server", SERVER)
    with served.client(bad.context(served.authority)) as client, pytest.raises(httpx.TransportError):
        ask(client, by_certificate)


async def test_a_certificate_that_is_only_sent_along_counts_for_nothing(served: Served, by_certificate: str, holder: Identity):
    stranger = served.authority.issue("stranger with a borrowed chain")
    with served.client(stranger.context(served.authority, also=holder.pem)) as client:
        assert ask(client, by_certificate) == 401


async def test_a_header_that_only_a_proxy_may_send_counts_for_nothing(served: Served, by_certificate: str, holder: Identity):
    header = {"client-cert": quote(holder.pem)}
    with served.client() as client:
        assert ask(client, by_certificate, **header) == 401
    with httpx.Client(base_url=served.url, trust_env=False) as plain:
        assert ask(plain, by_certificate, **header) == 401


async def test_old_protocols_and_ciphers_are_refused(served: Served):
    context = served.authority.context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256")  # no forward secrecy
    with served.client(context) as client, pytest.raises(httpx.TransportError):
        client.get("/health/ready")


# Rotation, over a handshake in memory.


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> CertificateFiles:
    first = authority.issue("first", SERVER, host="localhost", file="server")
    return CertificateFiles(first.certificate_file, first.key_file, authority.file)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> Iterator[tuple[ssl.SSLObject, ssl.SSLObject]]:
    """Yield both ends after a handshake."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    left: list[Any] = [near, far]
    for _ in range(20):
        for end in [*left]:
            try:
                end.do_handshake()
                left.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not left
    yield near, far


def common_name(connection: ssl.SSLObject) -> str:
    shown = connection.getpeercert()
    assert shown
    return str(shown["subject"][0][0][1])


def test_a_new_certificate_meets_the_next_caller_and_the_old_connection_stays(files: CertificateFiles, authority: Authority):
    rotation = Rotation(files)
    [(before, far)] = shake_hands(rotation.context, authority.context())
    assert common_name(before) == "first"
    authority.issue("second", SERVER, host="localhost", file="server")
    rotation.look()
    [(after, _)] = shake_hands(rotation.context, authority.context())
    assert common_name(after) == "second"
    far.write(b"still here")
    assert before.read(20) == b"still here"


def test_callers_of_a_new_authority_are_let_in_while_the_old_ones_still_are(
    files: CertificateFiles, authority: Authority, tmp_path: Path
):
    rotation, new = Rotation(files), Authority(tmp_path, "new-authority")
    old_caller, new_caller = authority.issue("old caller"), new.issue("new caller")
    with pytest.raises(ssl.SSLError):
        list(shake_hands(rotation.context, new_caller.context(authority)))
    old_file = authority.file.read_bytes()
    authority.file.write_bytes(old_file + new.file.read_bytes())
    rotation.look()
    for caller in (old_caller, new_caller):
        [(_, far)] = shake_hands(rotation.context, caller.context(authority))
        assert far.getpeercert(binary_form=True)
    believing = old_caller.context(authority)
    authority.file.write_bytes(new.file.read_bytes())
    rotation.look()
    with pytest.raises(ssl.SSLError):
        list(shake_hands(rotation.context, believing))
    authority.file.write_bytes(old_file)


def test_files_that_cannot_be_used_change_nothing(files: CertificateFiles, authority: Authority):
    rotation = Rotation(files)
    files.key.write_text("not a key")
    rotation.look()
    [(near, _)] = shake_hands(rotation.context, authority.context())
    assert common_name(near) == "first"
    files.key.unlink()
    rotation.look()
    assert list(shake_hands(rotation.context, authority.context()))
    with pytest.raises(CertificateFilesError):
        Rotation(files)
