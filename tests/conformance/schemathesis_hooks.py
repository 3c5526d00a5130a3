"""Makes Schemathesis a third party: it signs what it sends and holds tokens, and half of its ids are of things that exist.

The test writes the file that `CONFORMANCE_THIRD_PARTY` names.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import requests
import schemathesis
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import get_default_algorithms
from requests.auth import AuthBase

_PARTY: dict[str, Any] = json.loads(Path(os.environ["CONFORMANCE_THIRD_PARTY"]).read_text(encoding="utf-8"))
_CUSTOMER = {"x-fapi-customer-ip-address": "192.0.2.1", "x-fapi-auth-date": "Tue, 01 Dec 2026 09:30:00 GMT"}
_KEY: Any = load_pem_private_key(Path(_PARTY["key"]).read_bytes(), None)


class ThirdParty(AuthBase):
    """Puts the right token into a request and signs its exact bytes."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        path = str(request.path_url).partition("?")[0]
        pays = path.endswith(("/domestic-payments", "/funds-confirmation", "/funds-confirmations"))
        of_customer = pays or ("/aisp/" in path and "consents" not in path)
        request.headers["authorization"] = f"Bearer {_PARTY['customer' if of_customer else 'client']}"
        protected = _b64(json.dumps(_PARTY["header"]).encode())
        signature = get_default_algorithms()["PS256"].sign(f"{protected}.{_b64(raw)}".encode(), _KEY)
        request.headers["x-jws-signature"] = f"{protected}..{_b64(signature)}"
        return request


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Sign; let every second id and header be of what exists, and every second body hold what the bank would act on."""
    kwargs["auth"] = ThirdParty()
    for name, known in _PARTY["ids"].items():
        given = (case.path_parameters or {}).get(name)
        if given is not None and zlib.crc32(str(given).encode()) % 2:
            case.path_parameters[name] = known
    for name, known in _CUSTOMER.items():
        if name in (case.headers or {}) and zlib.crc32(repr(case.headers).encode()) % 2:
            case.headers[name] = known
    data = case.body.get("Data") if isinstance(case.body, dict) else None
    if isinstance(data, dict) and zlib.crc32(repr(data).encode()) % 2:
        data.update(_PARTY["members"].get(case.path, {}))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
