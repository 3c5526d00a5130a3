"""The sums of RFC 4226 and RFC 6238, by their vectors and by a foreign device."""

from __future__ import annotations

import subprocess

import pytest

from strongroom.sca.devices.model import Algorithm
from strongroom.sca.devices.oath import code_at, find_run

SEED = b"12345678901234567890"
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
SEEDS = {
    Algorithm.SHA1: SEED,
    Algorithm.SHA256: b"12345678901234567890123456789012",
    Algorithm.SHA512: b"1234567890123456789012345678901234567890123456789012345678901234",
}
TOTP = {  # RFC 6238 Appendix B
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}


def test_the_codes_of_rfc_4226_come_out() -> None:
    assert [code_at(SEED, counter) for counter in range(10)] == HOTP


@pytest.mark.parametrize(("seconds", "codes"), TOTP.items())
def test_the_codes_of_rfc_6238_come_out(seconds: int, codes: tuple[str, ...]) -> None:
    assert tuple(code_at(seed, seconds // 30, algorithm=hash_, digits=8) for hash_, seed in SEEDS.items()) == codes


@pytest.mark.needs("oathtool")
@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("digits", [6, 7, 8])
def test_oathtool_shows_the_same_codes(algorithm: Algorithm, digits: int) -> None:
    seed = SEEDS[algorithm]
    told = subprocess.run(
        ["oathtool", f"--totp={algorithm}", "-d", str(digits), "-w", "4", "--now=@1700000000", seed.hex()],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert told == [code_at(seed, 1700000000 // 30 + n, algorithm=algorithm, digits=digits) for n in range(5)]


def test_a_run_is_found_only_where_all_its_codes_are() -> None:
    def find(typed: list[str]) -> int | None:
        return find_run(lambda counter: code_at(SEED, counter), typed, range(10))

    assert find(HOTP[3:5]) == 3
    assert find([HOTP[3], HOTP[5]]) is None
    assert find(["", ""]) is None
