"""Files of tokens: RFC 6030's own examples, files that a foreign library wrote, CSV, and files that mean harm."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pskc import PSKC

from strongroom.sca.devices.csv_reading import read_csv
from strongroom.sca.devices.model import Algorithm, FileFault, Kind, NewToken, Read, RowFault
from strongroom.sca.devices.pskc_reading import NeedsKey, Unlocking, read_pskc

NS = 'xmlns="urn:ietf:params:xml:ns:keyprov:pskc"'
XENC = 'xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"'
SEED = b"12345678901234567890"
SHARED_KEY = bytes.fromhex("12345678901234567890123456789012")
AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"


def sealed(name: str, value: str, mac: str = "") -> str:
    method = f'<xenc:EncryptionMethod Algorithm="{AES}"/>'
    data = f"<xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData>"
    if name == "MACKey":
        return f"<MACKey>{method}{data}</MACKey>"
    return f"<{name}><EncryptedValue>{method}{data}</EncryptedValue><ValueMAC>{mac}</ValueMAC></{name}>"


def container(packages: str, head: str = "", prolog: str = "") -> bytes:
    opening = f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<KeyContainer Version="1.0" {NS} {XENC}>'
    return f"{opening}{head}{packages}</KeyContainer>".encode()


def package(secret: str, serial: str = "987654321", kind: str = "hotp", more: str = "", digits: str = "8") -> str:
    return (
        f"<KeyPackage><DeviceInfo><Manufacturer>M</Manufacturer><SerialNo>{serial}</SerialNo></DeviceInfo>"
        f'<Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:{kind}"><Issuer>I</Issuer>'
        f'<AlgorithmParameters>{more}<ResponseFormat Length="{digits}" Encoding="DECIMAL"/></AlgorithmParameters>'
        f"<Data>{secret}<Counter><PlainValue>0</PlainValue></Counter></Data></Key></KeyPackage>"
    )


PLAIN = "<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>"
HMAC = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
SHARED = container(
    package(sealed("Secret", "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv", "Su+NvtQfmvfJzF6bmQiJqoLRExc=")),
    '<EncryptionKey><ds:KeyName xmlns:ds="http://www.w3.org/2000/09/xmldsig#">Pre-shared-key</ds:KeyName></EncryptionKey>'
    f'<MACMethod Algorithm="{HMAC}">'
    f"{sealed('MACKey', 'ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX')}</MACMethod>",
)  # RFC 6030, figure 6
BY_PASSPHRASE = container(
    package(sealed("Secret", "oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZu6V+A4aEn032yCr4f", "LP6xMvjtypbfT9PdkJhBZ+D6O4w=")),
    '<EncryptionKey><xenc11:DerivedKey xmlns:xenc11="http://www.w3.org/2009/xmlenc11#">'
    '<xenc11:KeyDerivationMethod Algorithm="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2">'
    "<PBKDF2-params><Salt><Specified>Ej7/PEpyEpw=</Specified></Salt><IterationCount>1000</IterationCount>"
    "<KeyLength>16</KeyLength><PRF/></PBKDF2-params></xenc11:KeyDerivationMethod></xenc11:DerivedKey></EncryptionKey>"
    f'<MACMethod Algorithm="{HMAC}">'
    f"{sealed('MACKey', '2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx')}</MACMethod>",
)  # RFC 6030, figure 7


def pskc(text: bytes, *, key: bytes | None = None, passphrase: str | None = None, size: int = 7) -> list[Read]:
    """Read a file in small pieces."""
    stream = io.BytesIO(text)
    return list(read_pskc(iter(lambda: stream.read(size), b""), Unlocking(key, passphrase)))


def tokens(reads: list[Read]) -> list[NewToken]:
    assert not [read for read in reads if isinstance(read, RowFault)], reads
    return [read[1] for read in reads if not isinstance(read, RowFault)]


def seed_of(reads: list[Read]) -> bytes:
    [one] = tokens(reads)
    return bytes.fromhex(one.seed.reveal())


# The standard's examples.


def test_a_seed_in_the_clear_is_read() -> None:
    [one] = tokens(pskc(container(package(PLAIN))))
    assert (one.serial, one.kind, one.digits, one.counter, one.period_seconds) == ("987654321", Kind.HOTP, 8, 0, None)
    assert bytes.fromhex(one.seed.reveal()) == SEED


def test_a_seed_under_a_shared_key_is_read() -> None:
    assert seed_of(pskc(SHARED, key=SHARED_KEY)) == SEED


def test_a_seed_under_a_passphrase_is_read() -> None:
    assert seed_of(pskc(BY_PASSPHRASE, passphrase="qwerty")) == SEED


def test_what_is_needed_is_said() -> None:
    with pytest.raises(NeedsKey, match="Pre-shared-key") as needs:
        pskc(SHARED)
    assert not needs.value.by_passphrase
    with pytest.raises(NeedsKey) as needs:
        pskc(BY_PASSPHRASE)
    assert needs.value.by_passphrase


# What a foreign library writes.


def written(folder: Path, protect: Any, **key: Any) -> bytes:
    made = PSKC()
    for number in range(3):
        made.add_key(
            id=str(number), serial=f"A-{number}", secret=SEED, manufacturer="M",
            **(
                {"algorithm": "urn:ietf:params:xml:ns:keyprov:pskc:hotp", "counter": number, "response_encoding": "DECIMAL"}
                | {"response_length": 6} | key
            ),
        )  # fmt: skip
    protect(made)
    file = folder / "tokens.pskcxml"
    made.write(str(file))
    return file.read_bytes()


@pytest.mark.parametrize("bits", [128, 256])
def test_foreign_files_under_a_shared_key_are_read(tmp_path: Path, bits: int) -> None:
    key = secrets.token_bytes(bits // 8)
    text = written(tmp_path, lambda made: made.encryption.setup_preshared_key(key=key, algorithm=f"aes{bits}-cbc"))
    assert SEED.hex().encode() not in text
    read = tokens(pskc(text, key=key, size=65_536))
    assert [(one.serial, one.counter, bytes.fromhex(one.seed.reveal())) for one in read] == [(f"A-{n}", n, SEED) for n in range(3)]


def test_foreign_files_under_a_passphrase_are_read(tmp_path: Path) -> None:
    text = written(tmp_path, lambda made: made.encryption.setup_pbkdf2("correct horse"))
    assert len(tokens(pskc(text, passphrase="correct horse", size=65_536))) == 3


def test_a_wrong_passphrase_opens_nothing_also_where_chance_opens_the_key_of_the_macs(tmp_path: Path) -> None:
    """One wrong passphrase in sixteen opens that key to nonsense, because only its padding is judged; then no MAC is right."""
    text, said = written(tmp_path, lambda made: made.encryption.setup_pbkdf2("correct horse")), []
    for number in range(60):
        try:
            read = pskc(text, passphrase=f"wrong horse {number}")
        except FileFault as fault:
            said.append(str(fault))
        else:
            assert all(isinstance(row, RowFault) and "a wrong key" in row.what for row in read)
            assert len(read) == 3
    assert len(said) > 30
    assert all("a wrong key or passphrase" in one for one in said)


def test_foreign_totp_files_are_read(tmp_path: Path) -> None:
    kind = {
        "algorithm": "urn:ietf:params:xml:ns:keyprov:pskc:totp",
        "time_interval": 60,
        "counter": None,
        "algorithm_suite": "HMAC-SHA256",
    }
    read = tokens(pskc(written(tmp_path, lambda _: None, **kind)))
    assert {(one.kind, one.period_seconds, one.algorithm) for one in read} == {(Kind.TOTP, 60, Algorithm.SHA256)}


SUITE = "OCRA-1:HOTP-SHA512-8:C-QN08"


def test_foreign_ocra_files_are_read(tmp_path: Path) -> None:
    kind = {
        "algorithm": "urn:ietf:params:xml:ns:keyprov:pskc:ocra", "algorithm_suite": SUITE, "response_length": 8,
        "challenge_encoding": "DECIMAL", "challenge_min_length": 8, "challenge_max_length": 8,
    }  # fmt: skip
    read = tokens(pskc(written(tmp_path, lambda made: made.encryption.setup_preshared_key(key=SHARED_KEY), **kind), key=SHARED_KEY))
    assert [(one.serial, one.kind, one.counter) for one in read] == [(f"A-{number}", Kind.OCRA, number) for number in range(3)]
    assert {(one.suite and one.suite.text, one.algorithm, one.digits, one.period_seconds) for one in read} == {
        (SUITE, Algorithm.SHA512, 8, None)
    }
    assert {bytes.fromhex(one.seed.reveal()) for one in read} == {SEED}


def ocra(suite: str, more: str = "", digits: str = "8") -> bytes:
    return container(package(PLAIN, kind="ocra", more=f"<Suite>{suite}</Suite>{more}", digits=digits))


def test_a_suite_in_the_algorithms_name_is_read_too() -> None:
    for separator in ":#":
        named = package(PLAIN).replace(":pskc:hotp", f":pskc{separator}{SUITE}")
        [one] = tokens(pskc(container(named)))
        assert (one.kind, one.suite and one.suite.text) == (Kind.OCRA, SUITE)


def test_an_ocra_token_without_a_counter_in_its_suite_starts_from_nothing_and_has_the_suites_period() -> None:
    text = ocra("OCRA-1:HOTP-SHA1-8:QN08-T2M").replace(b"<Counter><PlainValue>0<", b"<Counter><PlainValue>77<")
    [one] = tokens(pskc(text))
    assert (one.counter, one.period_seconds) == (0, 120)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ocra("OCRA-1:HOTP-SHA3-8:QN08"), "the suite is not written as"),
        (container(package(PLAIN, kind="ocra")), "the suite is not written as"),
        (ocra(SUITE, digits="6"), "codes of another length"),
        (ocra(SUITE, '<ChallengeFormat Min="4" Max="6" Encoding="DECIMAL"/>'), "questions of another length"),
        (ocra(SUITE, '<ChallengeFormat Min="8" Max="8" Encoding="DECIMAL" CheckDigits="true"/>'), "a check digit"),
    ],
)
def test_an_ocra_token_that_contradicts_itself_is_named(text: bytes, said: str) -> None:
    [fault] = pskc(text)
    assert isinstance(fault, RowFault)
    assert said in fault.what


# What means harm, or is broken.


def test_a_value_that_was_changed_is_not_opened() -> None:
    changed = SHARED.replace(b"D+cIHItlB3Wra1DU", b"D+cIHItlB3Wra1DV")
    [fault] = pskc(changed, key=SHARED_KEY)
    assert isinstance(fault, RowFault)
    assert (fault.row, fault.serial) == (1, "987654321")
    assert "MAC" in fault.what


def test_a_value_without_a_mac_is_not_opened() -> None:
    [fault] = pskc(SHARED.replace(b"<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", b""), key=SHARED_KEY)
    assert isinstance(fault, RowFault)
    assert "has no MAC" in fault.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (container(package(PLAIN), prolog='<!DOCTYPE x [<!ENTITY a "b">]>'), "document type"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><KeyContainer/>'.encode("utf-16"), "document type"),
        (container("<a>" * 30 + "</a>" * 30), "beyond what a PSKC file does"),
        (container("<KeyPackage>" + "<a/>" * 300 + "</KeyPackage>"), "beyond what a PSKC file does"),
        (container(f"<KeyPackage><a>{'x' * 20_000}</a></KeyPackage>"), "beyond what a PSKC file has"),
        (container("")[:60], "not well-formed"),
        (b"<html/>", "not a PSKC key container"),
        (container(""), "no key package"),
        (BY_PASSPHRASE.replace(b">1000<", b">99000000<"), "99000000 times"),
        (BY_PASSPHRASE.replace(b"#pbkdf2", b"#md5"), "PBKDF2"),
        (SHARED.replace(b"#hmac-sha1", b"#hmac-md5"), "hmac-md5"),
    ],
)
def test_a_hostile_or_broken_file_ends_with_a_sentence(text: bytes, said: str) -> None:
    with pytest.raises(FileFault, match=said):
        pskc(text, key=SHARED_KEY, passphrase="qwerty")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((":hotp", ":pin"), "hotp, totp and ocra are taken"),
        (("DECIMAL", "HEXADECIMAL"), "not digits"),
        (("MTIz", "!!!!"), "not base64"),
        ((PLAIN, ""), "no seed"),
    ],
)
def test_one_bad_package_among_good_ones_is_named(change: tuple[str, str], said: str) -> None:
    bad = package(PLAIN, "B-2").replace(*change)
    good, fault, last = pskc(container(package(PLAIN, "B-1") + bad + package(PLAIN, "B-3")))
    assert isinstance(fault, RowFault)
    assert (fault.row, fault.serial) == (2, "B-2")
    assert said in fault.what
    assert [read[1].serial for read in (good, last) if not isinstance(read, RowFault)] == ["B-1", "B-3"]


def test_a_large_file_is_read_in_little_memory() -> None:
    import tracemalloc  # noqa: PLC0415  # slows everything that is loaded after it

    def chunks() -> Iterator[bytes]:
        yield container("").removesuffix(b"</KeyContainer>")
        for number in range(20_000):
            yield package(PLAIN, f"C-{number}").encode()
        yield b"</KeyContainer>"

    tracemalloc.start()
    count = sum(1 for _ in read_pskc(chunks(), Unlocking()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000


# CSV.


def csv(text: str) -> list[Read]:
    return list(read_csv(io.StringIO(text)))


def test_csv_in_the_usual_order_is_read() -> None:
    hotp, totp, short = tokens(
        csv(f"# maker's file\nA-1,{SEED.hex()},HOTP,6,17\n\nA-2, {SEED.hex()}, TOTP, 8, 60\nA-3,{SEED.hex()}\n")
    )
    assert (hotp.kind, hotp.digits, hotp.counter, hotp.period_seconds) == (Kind.HOTP, 6, 17, None)
    assert (totp.kind, totp.digits, totp.counter, totp.period_seconds) == (Kind.TOTP, 8, 0, 60)
    assert (short.serial, short.kind, short.digits) == ("A-3", Kind.HOTP, 6)


def test_csv_with_names_is_read_in_any_order() -> None:
    [one] = tokens(csv(f"seed,algorithm,Serial,kind,period_seconds\n{SEED.hex()},SHA-256,A-1,totp,\n"))
    assert (one.serial, one.algorithm, one.kind, one.period_seconds) == ("A-1", Algorithm.SHA256, Kind.TOTP, 30)


def test_csv_with_suites_is_read_and_the_rest_is_the_suites() -> None:
    counting, clocked = tokens(
        csv(
            "serial,seed,kind,suite,counter,digits\n"
            f"A-1,{SEED.hex()},OCRA,{SUITE},17,8\nA-2,{SEED.hex()},ocra,OCRA-1:HOTP-SHA1-6:QN10-T1M,,\n"
        )
    )
    assert (counting.kind, counting.algorithm, counting.digits, counting.counter) == (Kind.OCRA, Algorithm.SHA512, 8, 17)
    assert (clocked.algorithm, clocked.digits, clocked.period_seconds) == (Algorithm.SHA1, 6, 60)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",ocra,", "suite: is not written as"),
        (f",hotp,{SUITE}", "only an OCRA token"),
        (f"sha1,ocra,{SUITE}", "algorithm: is not what the suite says"),
        (f",ocra,{SUITE},6", "digits: is not what the suite says"),
        (f",ocra,{SUITE},,60", "period_seconds: is not what the suite says"),
        (f",ocra,{SUITE},,,minus", "counter: is a whole number"),
    ],
)
def test_a_row_that_contradicts_its_suite_is_named(row: str, said: str) -> None:
    [fault] = csv(f"serial,seed,algorithm,kind,suite,digits,period_seconds,counter\nA-1,{SEED.hex()},{row}")
    assert isinstance(fault, RowFault)
    assert said in fault.what
    assert SEED.hex() not in fault.what


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A-1,00,pigeon,6,0", "kind: is one of"),
        ("A-1,00,hotp,six,0", "digits: is a whole number"),
        ("A-1,00,ocra,6,0", "suite: is not written as"),
        ("A-1,00,hotp,6,0,extra", "more cells than"),
        ("A-1,00,hotp,6,-1", "period_or_counter"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_read(row: str, said: str) -> None:
    fault, good = csv(f"{row}\nA-2,{SEED.hex()},hotp,6,0")
    assert isinstance(fault, RowFault)
    assert (fault.row, fault.serial) == (1, "A-1")
    assert said.replace("period_or_counter", "counter") in fault.what
    assert not isinstance(good, RowFault)


@pytest.mark.parametrize("text", ["serial,seed,colour\n", "serial,digits\n", "x" * 3000, 'A-1,"00'])
def test_what_is_no_such_file_is_refused_whole(text: str) -> None:
    with pytest.raises(FileFault):
        csv(text)
