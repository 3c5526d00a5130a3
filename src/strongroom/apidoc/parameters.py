"""The parameters of an operation, read off its handler's signature, and the header that a POST may carry."""

from __future__ import annotations

import inspect
import typing
from typing import Any, Final

from litestar.params import ParameterKwarg

from strongroom.apidoc import examples as ex
from strongroom.apidoc.operation import Keyed, Operation
from strongroom.apidoc.shapes import Schema
from strongroom.kit.idempotency import KEY_MAX_LENGTH

ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 40}
_EXAMPLES: Final = {
    "caseId": ex.CASE,
    "customerId": ex.CUSTOMER,
    "authenticationId": ex.AUTHENTICATION,
    "endpointId": ex.ENDPOINT,
    "eventId": ex.EVENT,
    "createCreditRequest": ex.CREDIT_REQUEST,
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again: kept for 24 hours, one key for one request",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}


def parameters(operation: Operation) -> list[Schema]:
    """Return an operation's parameters: of the address, of the query, and the idempotency key."""
    found = [_in_address(operation, name) for name in operation.path_parameters]
    found += _in_query(operation)
    if operation.keyed is Keyed.ACCEPTED:
        found.append(_KEY)
    return found


def example_of(operation: Operation, name: str) -> str:
    """Return the id that stands in the examples for a parameter of the address."""
    if name == "requestId":
        return ex.ACCOUNT_REQUEST if "customerAccountRequests" in operation.path else ex.CREDIT_REQUEST
    if operation.id in {"getAuthentication", "revokeAuthentication"}:
        return ex.AUTHENTICATION
    return _EXAMPLES[name]


def _in_address(operation: Operation, name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": ID, "example": example_of(operation, name)}


def _in_query(operation: Operation) -> list[Schema]:
    function = operation.handler.fn
    signature = inspect.signature(function)
    found = []
    for name, hint in typing.get_type_hints(function, include_extras=True).items():
        declared = next((one for one in typing.get_args(hint)[1:] if isinstance(one, ParameterKwarg)), None)
        if declared is None or not (declared.query or declared.name) or name in operation.handler.paths:
            continue
        public = str(declared.query or declared.name)
        if name != public and f"{{{name}:" in "".join(operation.handler.paths):
            continue
        schema = _schema(typing.get_args(hint)[0], declared, signature.parameters[name].default)
        if public == "status" and operation.statuses:
            schema = {"type": "string", "enum": [str(one) for one in operation.statuses]}
        found.append(
            {"name": public, "in": "query", "required": False, "description": declared.description or "", "schema": schema}
        )
    return found


def _schema(hint: Any, declared: ParameterKwarg, default: Any) -> Schema:
    """Return the schema of a query parameter."""
    if hint is int:
        return {"type": "integer", "minimum": declared.ge, "maximum": declared.le, "default": default}
    if declared.format:
        return {"type": "string", "format": declared.format}
    return {"type": "string", "maxLength": declared.max_length}
