"""privacyIDEA as its makers set it up, with HOTP tokens without a PIN; run by the Python of its own environment.

`prepare FOLDER DSN TOKENS` makes its keys, tables and tokens (serials B00000000…, all with the seed of RFC 4226); then gunicorn
serves `app()`. The settings that cost it time and that a measurement does not need are off: signed
answers, a signed audit, a log, a slow hash of PINs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SEED = b"12345678901234567890"
_CONFIG = """
SECRET_KEY = "a secret key of a bench"
PI_PEPPER = "a pepper of a bench 123"
SQLALCHEMY_DATABASE_URI = {dsn!r}
PI_ENCFILE = {folder!r} + "/enckey"
PI_AUDIT_KEY_PRIVATE = {folder!r} + "/private.pem"
PI_AUDIT_KEY_PUBLIC = {folder!r} + "/public.pem"
PI_AUDIT_NO_SIGN = True
PI_NO_RESPONSE_SIGN = True
PI_HASH_ALGO_PARAMS = {{"argon2__rounds": 1, "argon2__memory_cost": 32}}
PI_LOGLEVEL = 50
PI_LOGFILE = {folder!r} + "/pi.log"
SUPERUSER_REALM = ["super"]
"""


def app() -> object:
    """Return the application for gunicorn; the configuration is where the environment says."""
    from privacyidea.app import create_app  # noqa: PLC0415  # only its own environment has it

    return create_app("production", config_file=os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)


def prepare(folder: Path, dsn: str, tokens: int) -> None:
    """Make everything that it needs."""
    (folder / "pi.cfg").write_text(_CONFIG.format(dsn=dsn, folder=str(folder)))
    os.environ["PRIVACYIDEA_CONFIGFILE"] = str(folder / "pi.cfg")
    manage = Path(sys.executable).with_name("pi-manage")
    for command in ("create_enckey", "create_audit_keys", "create_tables"):
        subprocess.run([manage, "setup", command], check=True, capture_output=True)
    from privacyidea.lib.token import init_token  # noqa: PLC0415  # only its own environment has it

    with app().app_context():  # type: ignore[attr-defined]  # Flask is not known here
        for number in range(tokens):
            init_token({"type": "hotp", "otpkey": SEED.hex(), "serial": f"B{number:08d}", "pin": ""})


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
