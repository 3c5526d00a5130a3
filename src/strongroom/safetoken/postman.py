"""The Postman collection that the document promises: every request of the wire with its example, and what its answer must say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from strongroom.access.model import PRINTED_CLIENT_ID
from strongroom.safetoken.samples import SAMPLE, sample_json, sample_request

SANDBOX: Final = "https://sandbox.interswitchng.com"
PRODUCTION: Final = "https://saturn.interswitchng.com"
_SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_VARIABLES: Final = {
    "sandbox": SANDBOX,
    "production": PRODUCTION,
    "baseUrl": "{{sandbox}}",
    "clientId": PRINTED_CLIENT_ID,
    "clientSecret": "secret",
    "accessToken": "",
}
_CARD: Final = {name: SAMPLE[name] for name in ("BankId", "CardPan")}
_WRONG_CARD: Final = "50618310000000152048"
_KEEP_TOKEN: Final = "pm.collectionVariables.set('accessToken', pm.response.json().access_token);"  # noqa: S105  # a script


def collection() -> dict[str, Any]:
    """Return the collection (Postman's format 2.1); its variables hold the document's two addresses and its client."""
    return {
        "info": {
            "name": "Safe Token",
            "description": "Choose an address in `baseUrl`, put in your client's id and secret, and run the requests in order.",
            "schema": _SCHEMA,
        },
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in _VARIABLES.items()],
        "item": [
            _token("Access token", "{{clientSecret}}", 200, _KEEP_TOKEN),
            _token("Access token with wrong credentials", "wrong", 401, _says("Bad credentials")),
            _get("Keys that sign access tokens", "/passport/oauth/jwks", _says('"keys"')),
            _get("WSDL", "/api/v1/safetoken?wsdl", _says("definitions")),
            _soap("Enrol a cardholder", "AddCardHolder", SAMPLE, ">90000<"),
            _json("Enrol a cardholder by JSON", "AddCardHolder", SAMPLE, "90000"),
            _soap("A wrong card number", "AddCardHolder", {**SAMPLE, "CardPan": _WRONG_CARD}, ">10002<"),
            _soap("Show a cardholder", "GetCardHolder", _CARD, ">90000<"),
            _json("Change a cardholder", "UpdateCardHolder", {**_CARD, "City": "Ikeja"}, "90000"),
            _soap("Remove a cardholder", "RemoveCardHolder", _CARD, ">90000<"),
        ],
    }


def write_collection() -> bytes:
    """Return the collection as a file."""
    return json.dumps(collection(), indent=2).encode()


def _token(name: str, secret: str, status: int, script: str) -> dict[str, Any]:
    auth = {"type": "basic", "basic": [_pair("username", "{{clientId}}"), _pair("password", secret)]}
    body = {"mode": "urlencoded", "urlencoded": [{"key": "grant_type", "value": "client_credentials"}]}
    request = {"method": "POST", "url": "{{baseUrl}}/passport/oauth/token", "auth": auth, "body": body, "header": []}
    return _item(name, request, status, [script])


def _get(name: str, path: str, script: str) -> dict[str, Any]:
    return _item(name, {"method": "GET", "url": f"{{{{baseUrl}}}}{path}", "header": []}, 200, [script])


def _soap(name: str, operation: str, members: dict[str, str], code: str) -> dict[str, Any]:
    return _call(name, operation, "text/xml", sample_request(operation, members), code)


def _json(name: str, operation: str, members: dict[str, str], code: str) -> dict[str, Any]:
    return _call(name, operation, "application/json", json.dumps(sample_json(members), indent=2), f'"ResponseCode":"{code}"')


def _call(name: str, operation: str, media_type: str, body: str, code: str) -> dict[str, Any]:
    headers = [_header("Content-Type", media_type), _header("SOAPAction", operation)]
    request = {
        "method": "POST",
        "url": "{{baseUrl}}/api/v1/safetoken",
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{accessToken}}")]},
        "header": headers,
        "body": {"mode": "raw", "raw": body},
    }
    return _item(name, request, 200, [_says(code)])


def _item(name: str, request: dict[str, Any], status: int, scripts: Sequence[str]) -> dict[str, Any]:
    lines = [f"pm.test('answers {status}', () => pm.response.to.have.status({status}));", *scripts]
    return {"name": name, "request": request, "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": lines}}]}


def _says(text: str) -> str:
    quoted = json.dumps(text)
    return f"pm.test('says what it should', () => pm.expect(pm.response.text()).to.include({quoted}));"


def _pair(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value, "type": "string"}


def _header(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}
