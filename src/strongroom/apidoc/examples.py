"""The examples of the document: one story of one case, in which every id stands for the same thing throughout."""

from __future__ import annotations

from typing import Any, Final

CASE, CUSTOMER, SECOND_CUSTOMER = "cse-07gs337k2m9xa", "cst-118ecp7d4b6fz", "cst-3r5t8w0y2qn7h"
CREDIT_REQUEST, ACCOUNT_REQUEST = "csp-0ywrt4t6p1s8m", "car-0fwsdkd9v3c5j"
AUTHENTICATION, RECEIVING_ACCOUNT, PAYMENT = "cau-7x2n5b8q1d4ke", "rac-4h6j8k0m2p5rs", "pay-9c1e3g5v7x0zt"
ENDPOINT, EVENT, DELIVERY, FIRM = "whk-2d4f6h8j0k3mn", "evt-5q7s9v1x3z6bc", "dlv-8e0g2j4m6p9rt", "frm-1a3c5e7g9j2km"
_AT: Final = "2026-03-02T09:30:00Z"

TOKEN_REQUEST: Final = {"grant_type": "client_credentials", "client_id": "{client_id}", "client_secret": "{client_secret}"}
TOKEN: Final = {
    "access_token": "{access_token}",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "funds:read funds:write webhooks:manage",
}
WITH_TOKEN: Final = {"client_id": "{client_id}", "client_secret": "{client_secret}", "token": "{access_token}"}
INTROSPECTION: Final = {
    "active": True,
    "scope": "funds:read funds:write webhooks:manage",
    "client_id": "{client_id}",
    "token_type": "Bearer",
    "exp": 1772447400,
    "iat": 1772443800,
}
METADATA: Final = {
    "issuer": "https://pay.example.com",
    "token_endpoint": "https://pay.example.com/token",
    "revocation_endpoint": "https://pay.example.com/oauth/revoke",
    "introspection_endpoint": "https://pay.example.com/oauth/introspect",
    "service_documentation": "https://pay.example.com/api/doc",
    "scopes_supported": ["funds:read", "funds:write", "webhooks:manage"],
    "response_types_supported": [],
    "grant_types_supported": ["client_credentials"],
    "token_endpoint_auth_methods_supported": [
        "client_secret_post", "client_secret_basic", "private_key_jwt", "self_signed_tls_client_auth",
    ],
    "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "Ed25519", "EdDSA"],
    "tls_client_certificate_bound_access_tokens": True,
}  # fmt: skip
AUTH_CONFIRMED: Final = {
    "status": "ok",
    "firm": {"id": FIRM, "name": "Marlow Finch Solicitors"},
    "scopes": ["funds:read", "funds:write", "webhooks:manage"],
}

NEW_CUSTOMER: Final = {
    "name": "Test Name",
    "email": "docs@example.com",
    "dateOfBirth": "1980-01-01",
    "phone": "447300000001",
}
SECOND_NEW_CUSTOMER: Final = {
    "name": "Second Name",
    "email": "second@example.com",
    "dateOfBirth": "1982-06-30",
    "phone": "+44 7300 000002",
}
NEW_CASE: Final = {"caseRef": "SC00001.0", "customers": [NEW_CUSTOMER]}
CREATED_CASE: Final = {"id": CASE, "customers": [{"id": CUSTOMER}]}
CUSTOMER_OUT: Final = {"id": CUSTOMER, "caseId": CASE, **NEW_CUSTOMER, "createdAt": _AT}
SECOND_CUSTOMER_OUT: Final = {
    "id": SECOND_CUSTOMER,
    "caseId": CASE,
    **SECOND_NEW_CUSTOMER,
    "phone": "447300000002",
    "createdAt": _AT,
}
CASE_OUT: Final = {
    "id": CASE,
    "caseRef": "SC00001.0",
    "status": "open",
    "customers": [CUSTOMER_OUT],
    "createdAt": _AT,
    "changedAt": _AT,
}

NEW_CREDIT_REQUEST: Final = {
    "caseId": CASE,
    "reference": "PAY001.1",
    "description": "Case Opening Fee",
    "amount": 100.0,
}
CREDIT_REQUEST_OUT: Final = {
    "id": CREDIT_REQUEST,
    "caseId": CASE,
    "status": "requested",
    "amount": 100.0,
    "currency": "GBP",
    "reference": "PAY001.1",
    "statementReference": "PAY001.1",
    "description": "Case Opening Fee",
    "purpose": "other",
    "allowSplit": False,
    "receivingAccountId": RECEIVING_ACCOUNT,
    "createdAt": _AT,
}
PAYMENT_OUT: Final = {
    "id": PAYMENT,
    "creditRequestId": CREDIT_REQUEST,
    "customerId": CUSTOMER,
    "bank": "mulberry",
    "status": "completed",
    "amount": 100.0,
    "bankPaymentId": "58923",
    "bankStatus": "ACSC",
    "endToEndId": PAYMENT,
    "payer": {"accountName": "T NAME", "sortCode": "200052", "accountNumberLast4": "1234"},
    "thirdPartyPayer": "no",
    "createdAt": _AT,
    "returnedAt": "2026-03-02T09:31:10Z",
    "submittedAt": "2026-03-02T09:31:11Z",
    "completedAt": "2026-03-02T09:31:14Z",
}
PAID: Final = {
    **CREDIT_REQUEST_OUT,
    "status": "completed",
    "payment": PAYMENT_OUT,
    "submittedAt": "2026-03-02T09:31:11Z",
    "completedAt": "2026-03-02T09:31:14Z",
}

NEW_ACCOUNT_REQUEST: Final = {"caseId": CASE}
ACCOUNT_REQUEST_OUT: Final = {
    "id": ACCOUNT_REQUEST,
    "caseId": CASE,
    "status": "requested",
    "asked": [CUSTOMER],
    "results": [],
    "createdAt": _AT,
}
SHARED: Final = {
    **ACCOUNT_REQUEST_OUT,
    "status": "completed",
    "results": [
        {
            "customerId": CUSTOMER,
            "account": {"accountName": "T NAME", "accountNumberLast4": "1234", "bank": "mulberry"},
            "nameMatch": {"outcome": "exact", "score": 100, "compared": ["T NAME"]},
            "reviewRequired": False,
            "sharedAt": "2026-03-02T09:35:00Z",
        }
    ],
    "completedAt": "2026-03-02T09:35:00Z",
}

NEW_AUTHENTICATION: Final = {"caseId": CASE, "customerId": SECOND_CUSTOMER}
AUTHENTICATION_OUT: Final = {
    "id": AUTHENTICATION,
    "caseId": CASE,
    "customerId": SECOND_CUSTOMER,
    "status": "invited",
    "invitedAt": _AT,
    "createdAt": _AT,
}
NEW_GRANT: Final = {"grant_type": "customer_login", "caseId": CASE, "customerId": CUSTOMER}
GRANT: Final = {"grantToken": "7Yc2mQv9Lx4Kp0Rt8Wz3Nb6Hd"}
RECEIVING_ACCOUNT_OUT: Final = {
    "id": RECEIVING_ACCOUNT,
    "status": "approved",
    "kind": "client",
    "accountName": "Marlow Finch Client Account",
    "accountNumberLast4": "9911",
    "default": True,
    "usableFrom": _AT,
    "createdAt": _AT,
}

NEW_ENDPOINT: Final = {
    "url": "https://example.com/strongroom-events",
    "description": "Case management",
    "eventTypes": ["creditRequest.completed", "creditRequest.received", "creditRequest.cancelled"],
}
ENDPOINT_OUT: Final = {
    "id": ENDPOINT,
    **NEW_ENDPOINT,
    "includeAccountDetails": False,
    "asymmetric": False,
    "status": "enabled",
    "disabledReason": None,
    "failingSince": None,
    "oldSecretUntil": None,
    "createdAt": "2026-03-02T09:30:00.000Z",
}
WITH_SECRET: Final = {**ENDPOINT_OUT, "secret": "whsec_VGhpcyBpcyBhbiBleGFtcGxlIG9mIGEgc2VjcmV0Lg=="}


def event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the example of an event."""
    return {
        "id": EVENT,
        "type": kind,
        "timestamp": "2026-03-02T09:31:14.000Z",
        "sequence": 1,
        "feedPosition": 1,
        "data": data,
    }


CANCELLED: Final = {**CREDIT_REQUEST_OUT, "status": "cancelled"}
EVENT_OUT: Final = event("creditRequest.cancelled", CANCELLED)
DELIVERY_OUT: Final = {
    "id": DELIVERY,
    "endpointId": ENDPOINT,
    "status": "delivered",
    "nextTryAt": None,
    "createdAt": "2026-03-02T09:31:14.000Z",
    "tries": [{"number": 1, "at": "2026-03-02T09:31:14.200Z", "status": 204, "failure": None, "durationMs": 41}],
}
