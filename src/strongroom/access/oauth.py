"""What an OAuth request says: parameters from JSON or a form, and credentials from the body, HTTP Basic, a signature or TLS."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from strongroom.access.assertions import ASSERTION_TYPE, read_client_id
from strongroom.access.errors import InvalidClient, InvalidRequest
from strongroom.access.model import Credentials
from strongroom.kit.body import Reader, Shape
from strongroom.kit.crypto import Secret
from strongroom.kit.errors import Refusal

_MAX_FIELDS = 50
_MAX_ID = 100


class Parameters(Shape, frozen=True, kw_only=True, forbid_unknown_fields=False, rename=None):
    """The parameters that we know (RFC 6749 §4.4.2, RFC 7009 §2.1, RFC 7523 §2.2); others are ignored, as OAuth asks."""

    grant_type: str | None = None
    scope: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    client_assertion: str | None = None
    client_assertion_type: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return "Parameters([secret])"


_READER = Reader(Parameters)
_NAMES = frozenset(Parameters.__struct_fields__)


def read_parameters(body: bytes) -> Parameters:
    """Read a body as JSON when it looks like JSON and as a form otherwise, whatever its Content-Type says. Raise InvalidRequest."""
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return _READER.read(body)
        except Refusal as refusal:
            raise InvalidRequest(refusal.detail) from refusal
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidRequest("The body is neither JSON nor a form") from error
    known = {name: value for name, value in pairs if name in _NAMES and value}
    if len(known) < sum(1 for name, value in pairs if name in _NAMES and value):
        raise InvalidRequest("A parameter is repeated")
    return msgspec.convert(known, Parameters)


def read_credentials(parameters: Parameters, headers: Iterable[tuple[bytes, bytes]], certificate_hash: bytes | None) -> Credentials:
    """Return how the caller claims to be a client. Raise InvalidRequest for two ways at once, InvalidClient for none."""
    basic = _read_basic(headers)
    assertion = parameters.client_assertion
    if sum(way is not None for way in (basic, parameters.client_secret, assertion)) > 1:
        raise InvalidRequest("A client authenticates in one way only")
    if basic is not None:
        return _credentials(basic.client_id, parameters.client_id, secret=basic.secret, certificate_hash=certificate_hash)
    if assertion is not None:
        if parameters.client_assertion_type != ASSERTION_TYPE:
            raise InvalidRequest(f"client_assertion_type must be {ASSERTION_TYPE}")
        signed = Secret(assertion)
        return _credentials(read_client_id(signed), parameters.client_id, assertion=signed, certificate_hash=certificate_hash)
    secret = Secret(parameters.client_secret) if parameters.client_secret is not None else None
    if secret is None and certificate_hash is None:
        raise InvalidClient
    return _credentials(parameters.client_id, None, secret=secret, certificate_hash=certificate_hash)


def has_basic(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """True when the caller tried HTTP Basic, so that a 401 answers in kind (RFC 6749 §5.2)."""
    return any(name == b"authorization" for name, _ in headers)


def _credentials(
    client_id: str | None,
    also: str | None,
    *,
    secret: Secret | None = None,
    assertion: Secret | None = None,
    certificate_hash: bytes | None = None,
) -> Credentials:
    """Join the parts; a client_id named twice must be the same."""
    if not client_id or (also is not None and also != client_id):
        raise InvalidClient
    if len(client_id) > _MAX_ID or "\0" in client_id:
        raise InvalidClient
    return Credentials(client_id, secret, assertion, certificate_hash)


def _read_basic(headers: Iterable[tuple[bytes, bytes]]) -> Credentials | None:
    """Return what HTTP Basic says, both parts form-encoded (RFC 6749 §2.3.1). Raise InvalidClient for another header."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return None
    scheme, _, encoded = given[0].partition(b" ")
    if len(given) > 1 or scheme.lower() != b"basic":
        raise InvalidClient
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient from None
    if not colon:
        raise InvalidClient
    return Credentials(unquote_plus(client_id), Secret(unquote_plus(secret)))
