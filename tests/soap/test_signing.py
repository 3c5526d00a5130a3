"""What we sign: both kinds of key, both levels, both versions of SOAP; and answers of others to messages that we signed."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.c14n import canonicalise
from strongroom.soap.envelopes import parse
from strongroom.soap.envelopes import write as write_envelope
from strongroom.soap.faults import SoapFault, Version
from strongroom.soap.names import EXCLUSIVE_C14N
from strongroom.soap.security import Level, Policy, Signer
from strongroom.soap.signers import OurSigner, SignerFiles, SignerFilesError
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify, verify_answer

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BODY = '<x:Answer xmlns:x="techquest.interswitchng.com" a="&quot;1&quot;">5 &lt; 6</x:Answer>'
REQUEST = "urn:uuid:0d9a6c1e-2f5b-4c4e-8b0a-8f1f3f0c2a11"


def make_signer(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Signer:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    return Signer(builder.sign(key, hashes.SHA512()), key)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return make_signer(rsa.generate_private_key(65537, 2048))


def trusting(signer: Signer, level: Level = Level.BODY) -> Policy:
    return Policy(level, frozenset({hashlib.sha256(signer.certificate.public_bytes(Encoding.DER)).digest()}))


def blocks(relates_to: str = REQUEST) -> list[str]:
    return write_addressing(Wsa.V2005, "urn:answer", relates_to=relates_to)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("level", [Level.TIMESTAMP, Level.BODY])
def test_what_we_sign_holds_until_it_is_changed(signer: Signer, version: Version, level: Level) -> None:
    text = sign(version, BODY, blocks(), signer, NOW, level)
    verified = verify_answer(parse(text.encode()), trusting(signer, level), REQUEST, NOW)
    assert (verified.created, verified.expires) == (NOW, NOW + timedelta(minutes=5))
    for before, after in (("urn:answer", "urn:other"), (REQUEST, REQUEST.replace("0d", "0e")), ("12:00:00", "12:00:01")):
        with pytest.raises(SoapFault, match="does not hold"):
            verify_answer(parse(text.replace(before, after).encode()), trusting(signer, level), REQUEST, NOW)
    changed = parse(text.replace("5 &lt; 6", "5 &lt; 7").encode())
    if level is Level.BODY:
        with pytest.raises(SoapFault, match="does not hold"):
            verify_answer(changed, trusting(signer, level), REQUEST, NOW)
    else:
        with pytest.raises(SoapFault, match="Body must be signed"):
            verify_answer(changed, trusting(signer), REQUEST, NOW)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_curve_signs_with_sha512(curve: ec.EllipticCurve) -> None:
    signer = make_signer(ec.generate_private_key(curve))
    text = sign(Version.SOAP_11, BODY, blocks(), signer, NOW)
    assert "ecdsa-sha512" in text
    assert verify_answer(parse(text.encode()), trusting(signer), REQUEST, NOW)
    forged = Signer(signer.certificate, ec.generate_private_key(curve))
    with pytest.raises(SoapFault, match="does not hold"):
        verify(parse(sign(Version.SOAP_11, BODY, blocks(), forged, NOW).encode()), trusting(signer))


def test_an_answer_to_another_message_is_no_answer(signer: Signer) -> None:
    for others in (blocks("urn:uuid:another"), write_addressing(Wsa.V2005, "urn:answer"), []):
        with pytest.raises(SoapFault, match="to this request"):
            verify_answer(parse(sign(Version.SOAP_11, BODY, others, signer, NOW).encode()), trusting(signer), REQUEST, NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(minutes=-5, seconds=-1)])
def test_an_answer_of_another_time_is_no_answer(signer: Signer, off: timedelta) -> None:
    text = sign(Version.SOAP_11, BODY, blocks(), signer, NOW)
    assert verify_answer(parse(text.encode()), trusting(signer), REQUEST, NOW + timedelta(minutes=4))
    with pytest.raises(SoapFault, match="has expired"):
        verify_answer(parse(text.encode()), trusting(signer), REQUEST, NOW + off)


def test_an_unsigned_answer_is_no_answer(signer: Signer) -> None:
    with pytest.raises(SoapFault, match="must be signed"):
        verify_answer(parse(write_envelope(Version.SOAP_11, BODY).encode()), trusting(signer), REQUEST, NOW)


def test_a_small_key_and_a_certificate_out_of_its_time_do_not_count() -> None:
    small = make_signer(rsa.generate_private_key(65537, 1024))  # noqa: S505 - what is to be refused
    with pytest.raises(SoapFault, match="method is not one"):
        verify(parse(sign(Version.SOAP_11, BODY, [], small, NOW).encode()), trusting(small))
    late = make_signer(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(SoapFault, match="not in its time"):
        verify(parse(sign(Version.SOAP_11, BODY, [], late, NOW + timedelta(days=2)).encode()), trusting(late))


# Our certificate's files.


def write(folder: Path, signer: Signer) -> SignerFiles:
    files = SignerFiles(folder / "signing.pem", folder / "signing.key")
    files.certificate.write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_a_certificate_is_renewed_by_writing_its_files_and_half_of_that_changes_nothing(signer: Signer, tmp_path: Path) -> None:
    ours = OurSigner(write(tmp_path, signer))
    new = make_signer(ec.generate_private_key(ec.SECP256R1()))
    (tmp_path / "signing.pem").write_bytes(new.certificate.public_bytes(Encoding.PEM))
    assert ours.current().certificate == signer.certificate
    write(tmp_path, new)
    assert ours.current().certificate == new.certificate
    (tmp_path / "signing.key").unlink()
    assert ours.current().certificate == new.certificate


def test_files_that_cannot_be_used_are_refused_at_the_start(signer: Signer, tmp_path: Path) -> None:
    files = write(tmp_path, signer)
    other = rsa.generate_private_key(65537, 2048)
    files.key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SignerFilesError, match="is not the RSA or elliptic curve key of"):
        OurSigner(files)
    files.key.write_text("no key")
    with pytest.raises(SignerFilesError, match="cannot be read as PEM"):
        OurSigner(files)
    files.key.unlink()
    with pytest.raises(SignerFilesError, match="No such file"):
        OurSigner(files)


def test_the_costliest_message_that_is_read_is_verified_in_little_time(signer: Signer) -> None:
    """As many elements, namespaces and listed prefixes as are read; the time is the processor's, of this process alone."""
    declared = " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(58))
    body = f"<x {declared}>{'<y/>' * 480}</x>"
    text = sign(Version.SOAP_11, body, [], signer, NOW)
    prefixes = " ".join(f"n{number}" for number in range(3_000))
    listed = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE_C14N}" PrefixList="{prefixes}"/></ds:Transform>'
    bare, with_list = f'<ds:Transform Algorithm="{EXCLUSIVE_C14N}"/>', f'<ds:Transform Algorithm="{EXCLUSIVE_C14N}">{listed}'
    costly = parse(text.replace(bare, with_list).encode())
    times = []
    for _ in range(3):
        began = time.process_time()
        with pytest.raises(SoapFault):
            verify(costly, trusting(signer))
        canonicalise(costly.root, prefixes.split())
        times.append(time.process_time() - began)
    assert min(times) < 0.05
