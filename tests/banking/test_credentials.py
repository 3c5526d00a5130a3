"""Our keys for banks: the newest that counts signs, all are published, and a directory that changes is read while it serves."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from foreign_bank import private_pem

from strongroom.banking.credentials import SigningEntry, published, read_signing_keys
from strongroom.banking.registry import LOOK_SECONDS, Registry
from strongroom.banking.signing import Signer
from strongroom.kit.errors import NotFound
from strongroom.kit.metrics import REGISTRY
from tests.funds.firm_api import open_app

DAY = 86_400
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def write_key(folder, name, key) -> None:
    (folder / name).write_bytes(private_pem(key))


@pytest.fixture
def two_keys(tmp_path, rsa_keys):
    for name, key in (("one.key", rsa_keys[0]), ("two.key", rsa_keys[3])):
        write_key(tmp_path, name, key)
    entries = (SigningEntry("one.key", "one"), SigningEntry("two.key", "two", NOW + timedelta(days=1)))
    return read_signing_keys(entries, tmp_path)


def test_the_newest_key_that_counts_signs_and_every_key_is_published_before_and_after(two_keys):
    signer, public = Signer(two_keys, "org-1", "software-1"), jwt.PyJWKSet.from_dict(published(two_keys))
    for days, kid in ((0, "one"), (0.99, "one"), (1, "two"), (400, "two")):
        signed = signer.client_assertion("client-1", "https://bank.example", NOW.timestamp() + days * DAY)
        detached = signer.detached(b"{}", NOW.timestamp() + days * DAY)
        assert jwt.get_unverified_header(signed)["kid"] == kid
        assert json.loads(base64.urlsafe_b64decode(detached.partition(".")[0] + "=="))["kid"] == kid
        options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        jwt.decode(signed, public[kid].key, ["PS256"], audience="https://bank.example", options=options)


def test_what_is_published_is_public(two_keys):
    keys = published(two_keys)["keys"]
    assert [key["kid"] for key in keys] == ["one", "two"]
    assert all(key.keys() == {"kty", "n", "e", "kid", "use", "alg"} for key in keys)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"signing_keys": [{"key": "signing.key", "kid": "a"}]}, "and not both"),
        ({"signing_key": None}, "signing_key and signing_kid"),
        ({"transport_key": None}, "transport_certificate"),
        ({"signing_key": None, "signing_keys": [{"key": "signing.key", "kid": "a"}] * 2}, "same id"),
        ({"signing_key": None, "signing_keys": [{"key": "ca.pem", "kid": "a"}]}, "no RSA key"),
        ({"signing_key": None, "signing_keys": [{"key": "weak.key", "kid": "a"}]}, "2048 bits"),
        ({"signing_key": None, "signing_keys": [{"key": "signing.key", "kid": "a", "use_from": "2999-01-01T00:00:00Z"}]}, "yet"),
    ],
)
def test_keys_that_cannot_serve_are_refused_with_the_reason(certificates, directory, change, says):
    write_key(certificates.folder, "weak.key", rsa.generate_private_key(65537, 1024))  # noqa: S505  # that is the point
    path = certificates.folder / "refused.json"
    path.write_text(json.dumps({**directory, **change}))
    with pytest.raises(ValueError, match=says):
        Registry(path)


async def test_a_new_bank_and_new_keys_count_without_a_restart(certificates, directory, bank, order, clock, rsa_keys):
    path = certificates.folder / "changing.json"
    path.write_text(json.dumps({**directory, "banks": directory["banks"][:1]}))
    async with Registry(path, clock=clock) as registry:
        oak = registry.get_bank("oak")
        await oak.request_payment(order)
        write_key(certificates.folder, "next.key", rsa_keys[3])
        certificates.issue("next-transport")
        changed = {
            **directory, "signing_key": None, "signing_keys": [{"key": "next.key", "kid": "next"}],
            "transport_certificate": "next-transport.pem", "transport_key": "next-transport.key",
        }  # fmt: skip
        path.write_text(json.dumps(changed))
        assert registry.get_bank("oak") is oak, "it is not read at every question"
        clock.ahead_seconds += LOOK_SECONDS
        assert [one.bank_id for one in registry.list_banks()] == ["elm", "oak"]
        assert [key["kid"] for key in registry.published_keys()["keys"]] == ["next"]
        bank.tpp_key = rsa_keys[3].public_key()
        bank.leeway_seconds = 60
        await registry.get_bank("oak").request_payment(order)
        assert registry.get_listing("oak").health.calls > 0, "what is known of a bank's health goes on"


async def test_a_bank_whose_entry_did_not_change_keeps_its_line(certificates, directory, clock):
    path = certificates.folder / "kept.json"
    path.write_text(json.dumps(directory))
    async with Registry(path, clock=clock) as registry:
        oak, elm = registry.get_bank("oak"), registry.get_bank("elm")
        path.write_text(json.dumps({**directory, "banks": [directory["banks"][0], {**directory["banks"][1], "name": "Elm"}]}))
        clock.ahead_seconds += LOOK_SECONDS
        assert registry.get_bank("oak") is oak
        assert registry.get_bank("elm") is not elm
        path.write_text(json.dumps({**directory, "banks": directory["banks"][:1]}))
        clock.ahead_seconds += LOOK_SECONDS
        with pytest.raises(NotFound):
            registry.get_bank("elm")


async def test_a_broken_directory_changes_nothing_and_is_told_until_it_is_mended(certificates, directory, clock):
    path = certificates.folder / "broken.json"
    path.write_text(json.dumps(directory))
    async with Registry(path, clock=clock) as registry:
        for broken in ("{", json.dumps({**directory, "signing_key": "absent.key"}), json.dumps({**directory, "banks": [{}]})):
            path.write_text(broken)
            clock.ahead_seconds += LOOK_SECONDS
            assert [one.bank_id for one in registry.list_banks()] == ["elm", "oak"]
            assert REGISTRY.get_sample_value("strongroom_bank_directory_broken") == 1
        path.write_text(json.dumps({**directory, "banks": directory["banks"][:1]}))
        clock.ahead_seconds += LOOK_SECONDS
        assert [one.bank_id for one in registry.list_banks()] == ["oak"]
        assert REGISTRY.get_sample_value("strongroom_bank_directory_broken") == 0


async def test_banks_fetch_our_keys_from_the_web_process_without_a_token(certificates, directory, database, tmp_path):
    path = certificates.folder / "served.json"
    path.write_text(json.dumps(directory))
    async with (
        open_app(database, tmp_path, BANKS_DIRECTORY=str(path)) as (_, edge),
        httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://localhost") as http,
    ):
        answer = await http.get("/openbanking/jwks")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=300")
    assert [key["kid"] for key in answer.json()["keys"]] == ["ours"]


async def test_without_banks_no_key_is_published():
    async with Registry.without_banks() as registry:
        assert registry.published_keys() == {"keys": []}
