"""`python -m bench.importing`: 100,000 tokens of a CSV and of an encrypted PSKC file into a durable database, by the command."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bench.system import System, running

COUNT = 100_000
_AES = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
_HMAC = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"


async def measure(folder: Path) -> None:
    """Import both files and print what it took."""
    async with running(folder / "system", firms=0) as system:
        key = secrets.token_bytes(32)
        key_file = folder / "shared.key"
        key_file.write_text(key.hex())
        print("| file | seconds | tokens a second | highest memory MB |\n|---|---|---|---|", flush=True)
        for number, (name, options) in enumerate((("csv", []), ("pskc", ["--key-file", str(key_file)])), 1):
            file = folder / f"tokens.{name}"
            (_write_csv if name == "csv" else _write_pskc)(file, key)
            issuer = await system.house.issuers.create("operator:bench", f"Bench bank {number}", number, [f"50618{number}"])
            seconds, megabytes = await asyncio.to_thread(_import, system, file, issuer.id, options)
            size = file.stat().st_size / 1e6
            print(f"| {name}, {size:.0f} MB | {seconds:.1f} | {COUNT / seconds:,.0f} | {megabytes:.0f} |", flush=True)


def _import(system: System, file: Path, issuer: str, options: list[str]) -> tuple[float, float]:
    command = [sys.executable, "-m", "strongroom", "otp-tokens", "import", str(file), "--issuer", issuer, *options]
    began = time.perf_counter()
    said = subprocess.run(command, env={**os.environ, **system.environment}, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    assert said.stdout.startswith(f"{COUNT} tokens were taken"), said.stdout
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _write_csv(file: Path, _: bytes) -> None:
    with file.open("w") as out:
        out.writelines(f"A-{number:08d},{secrets.token_hex(20)},HOTP,6,0\n" for number in range(COUNT))


def _write_pskc(file: Path, key: bytes) -> None:
    mac_key = secrets.token_bytes(32)
    with file.open("w") as out:
        out.write(
            f'<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:x="http://www.w3.org/2001/04/xmlenc#">'
            f'<EncryptionKey><KeyName>shared</KeyName></EncryptionKey><MACMethod Algorithm="{_HMAC}"><MACKey>'
            f"{_sealed(_encrypt(key, mac_key))}</MACKey></MACMethod>"
        )
        for number in range(COUNT):
            data = _encrypt(key, secrets.token_bytes(20))
            mac = base64.b64encode(hmac.digest(mac_key, data, hashlib.sha256)).decode()
            out.write(
                f"<KeyPackage><DeviceInfo><SerialNo>B-{number:08d}</SerialNo></DeviceInfo>"
                f'<Key Id="{number}" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp"><AlgorithmParameters>'
                f'<ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters><Data><Secret>'
                f"<EncryptedValue>{_sealed(data)}</EncryptedValue><ValueMAC>{mac}</ValueMAC></Secret><Counter><PlainValue>0</PlainValue></Counter></Data></Key>"
                "</KeyPackage>"
            )
        out.write("</KeyContainer>")


def _encrypt(key: bytes, plain: bytes) -> bytes:
    vector, padding = secrets.token_bytes(16), 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return vector + encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()


def _sealed(data: bytes) -> str:
    value = base64.b64encode(data).decode()
    return f'<x:EncryptionMethod Algorithm="{_AES}"/><x:CipherData><x:CipherValue>{value}</x:CipherValue></x:CipherData>'


def main() -> None:
    under = Path("var/bench").resolve()
    under.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=under))
    folder.chmod(0o711)
    try:
        asyncio.run(measure(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
