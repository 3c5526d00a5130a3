"""The table of operations: every address of the API in the order in which a reader needs them.

A test compares it with the routes that the application really has, and runs every example.
"""

from __future__ import annotations

from typing import Final

import msgspec

from strongroom.access import api as access
from strongroom.access.errors import InvalidClient, InvalidRequest, InvalidScope, UnsupportedGrantType
from strongroom.access.oauth import Parameters
from strongroom.access.schemas import AuthConfirmed, Introspection, Metadata, TokenAnswer
from strongroom.apidoc import examples as ex
from strongroom.apidoc.operation import Keyed, Link, Operation, Page, Part, Tag
from strongroom.funds import errors as funds_errors
from strongroom.funds import schemas as funds
from strongroom.funds.api import cases, logins, requests
from strongroom.funds.states import AccountRequestState, AuthenticationState, CaseState, RequestState
from strongroom.kit.errors import TooMany, Unavailable
from strongroom.notify.errors import CountryNotServed, TooManyMessages
from strongroom.webhooks import api as webhooks
from strongroom.webhooks import schemas as hooks
from strongroom.webhooks.errors import EndpointDisabled, TakesTwoPeople, TooManyEndpoints

_CREDENTIALS = ("client_id", "client_secret", "client_assertion", "client_assertion_type")
_TOKEN_REQUEST = Part("TokenRequest", Parameters, ("grant_type", "scope", *_CREDENTIALS), ("grant_type",))
_ABOUT_TOKEN = Part("TokenQuestion", Parameters, ("token", *_CREDENTIALS), ("token",))
_OAUTH = (InvalidRequest, InvalidClient, TooMany, Unavailable)


class Empty(msgspec.Struct, frozen=True):
    """An empty JSON object."""


TOKENS: Final = (
    Operation(
        access.issue_token, Tag.TOKENS, TokenAnswer, ex.TOKEN, body=_TOKEN_REQUEST, body_example=ex.TOKEN_REQUEST,
        oauth=True, refuses=(*_OAUTH, UnsupportedGrantType, InvalidScope),
    ),
    Operation(access.confirm, Tag.TOKENS, AuthConfirmed, ex.AUTH_CONFIRMED, name="authConfirm"),
    Operation(
        access.introspect_token, Tag.TOKENS, Introspection, ex.INTROSPECTION, body=_ABOUT_TOKEN, body_example=ex.WITH_TOKEN,
        oauth=True, refuses=_OAUTH,
    ),
    Operation(
        access.revoke_token, Tag.TOKENS, Empty, {}, body=_ABOUT_TOKEN, body_example=ex.WITH_TOKEN, oauth=True, refuses=_OAUTH
    ),
    Operation(access.show_metadata, Tag.TOKENS, Metadata, ex.METADATA),
)  # fmt: skip

_CASE_ID, _CUSTOMER_ID = {"caseId": "/id"}, {"customerId": "/customers/0/id"}
CASES: Final = (
    Operation(
        cases.create_case, Tag.CASES, funds.CreatedCaseOut, ex.CREATED_CASE, body=funds.NewCaseIn, body_example=ex.NEW_CASE,
        keyed=Keyed.ACCEPTED, refuses=(funds_errors.CaseRefTaken,),
        links=(
            Link("getCase", _CASE_ID), Link("changeCase", _CASE_ID), Link("closeCase", _CASE_ID), Link("addCustomer", _CASE_ID),
            Link("getCustomer", _CUSTOMER_ID), Link("changeCustomer", _CUSTOMER_ID), Link("listCustomers", _CASE_ID),
            Link("createCreditRequest", body={"caseId": "/id"}), Link("createAccountRequest", body={"caseId": "/id"}),
            Link("createLoginGrant", body={"caseId": "/id", "customerId": "/customers/0/id"}),
            Link("createAuthentication", body={"caseId": "/id", "customerId": "/customers/0/id"}),
        ),
    ),
    Operation(
        cases.list_cases, Tag.CASES, Page(funds.CaseOut), {"data": [ex.CASE_OUT], "next": None},
        statuses=CaseState,
    ),
    Operation(cases.get_case, Tag.CASES, funds.CaseOut, ex.CASE_OUT),
    Operation(
        cases.change_case, Tag.CASES, funds.CaseOut, {**ex.CASE_OUT, "caseRef": "SC00001.1"}, body=funds.CaseChangeIn,
        body_example={"caseRef": "SC00001.1"}, refuses=(funds_errors.CaseClosed, funds_errors.CaseRefTaken),
    ),
    Operation(
        cases.close_case, Tag.CASES, funds.CaseOut, {**ex.CASE_OUT, "status": "closed"},
        refuses=(funds_errors.PaymentLive,),
    ),
    Operation(cases.list_customers, Tag.CASES, Page(funds.CustomerOut, None), {"data": [ex.CUSTOMER_OUT], "next": None}),
    Operation(
        cases.add_customer, Tag.CASES, funds.IdOut, {"id": ex.SECOND_CUSTOMER}, body=funds.NewCustomerIn,
        body_example=ex.SECOND_NEW_CUSTOMER, keyed=Keyed.ACCEPTED,
        refuses=(funds_errors.CaseClosed, funds_errors.CustomersFull),
        links=(Link("getCustomer", {"customerId": "/id"}), Link("changeCustomer", {"customerId": "/id"})),
    ),
    Operation(cases.get_customer, Tag.CASES, funds.CustomerOut, ex.CUSTOMER_OUT),
    Operation(
        cases.change_customer, Tag.CASES, funds.CustomerOut, {**ex.CUSTOMER_OUT, "name": "Test New-Name"},
        body=funds.CustomerChangeIn, body_example={"name": "Test New-Name"},
    ),
)  # fmt: skip

_REQUEST_ID = {"requestId": "/id"}
_REFUSES_ASKING = (funds_errors.CaseClosed,)
CREDIT_REQUESTS: Final = (
    Operation(
        requests.create_credit_request, Tag.CREDIT_REQUESTS, funds.IdOut, {"id": ex.CREDIT_REQUEST},
        body=funds.NewCreditRequestIn, body_example=ex.NEW_CREDIT_REQUEST, keyed=Keyed.ACCEPTED,
        refuses=(*_REFUSES_ASKING, funds_errors.NoReceivingAccount, funds_errors.AmountTooLarge),
        links=tuple(
            Link(to, _REQUEST_ID) for to in ("getCreditRequest", "listPayments", "cancelCreditRequest", "resendCreditRequest")
        ),
    ),
    Operation(
        requests.list_credit_requests, Tag.CREDIT_REQUESTS, Page(funds.CreditRequestOut),
        {"data": [ex.CREDIT_REQUEST_OUT], "next": None}, statuses=RequestState,
    ),
    Operation(requests.get_credit_request, Tag.CREDIT_REQUESTS, funds.CreditRequestOut, ex.PAID),
    Operation(
        requests.list_payments, Tag.CREDIT_REQUESTS, Page(funds.PaymentOut, None), {"data": [ex.PAYMENT_OUT], "next": None}
    ),
    Operation(
        requests.resend_credit_request, Tag.CREDIT_REQUESTS, funds.CreditRequestOut, ex.CREDIT_REQUEST_OUT,
        refuses=(funds_errors.RequestEnded, TooManyMessages, CountryNotServed),
    ),
    Operation(
        requests.cancel_credit_request, Tag.CREDIT_REQUESTS, funds.CreditRequestOut, ex.CANCELLED,
        refuses=(funds_errors.RequestEnded, funds_errors.PaymentLive),
    ),
)  # fmt: skip

ACCOUNT_REQUESTS: Final = (
    Operation(
        requests.create_account_request, Tag.ACCOUNT_REQUESTS, funds.IdOut, {"id": ex.ACCOUNT_REQUEST},
        body=funds.NewAccountRequestIn, body_example=ex.NEW_ACCOUNT_REQUEST, keyed=Keyed.ACCEPTED, refuses=_REFUSES_ASKING,
        links=tuple(Link(to, _REQUEST_ID) for to in ("getAccountRequest", "cancelAccountRequest", "resendAccountRequest")),
    ),
    Operation(
        requests.list_account_requests, Tag.ACCOUNT_REQUESTS, Page(funds.AccountRequestOut),
        {"data": [ex.ACCOUNT_REQUEST_OUT], "next": None}, statuses=AccountRequestState,
    ),
    Operation(requests.get_account_request, Tag.ACCOUNT_REQUESTS, funds.AccountRequestOut, ex.SHARED),
    Operation(
        requests.resend_account_request, Tag.ACCOUNT_REQUESTS, funds.AccountRequestOut, ex.ACCOUNT_REQUEST_OUT,
        refuses=(funds_errors.RequestEnded, TooManyMessages, CountryNotServed),
    ),
    Operation(
        requests.cancel_account_request, Tag.ACCOUNT_REQUESTS, funds.AccountRequestOut,
        {**ex.ACCOUNT_REQUEST_OUT, "status": "cancelled"}, refuses=(funds_errors.RequestEnded, funds_errors.ShareLive),
    ),
)  # fmt: skip

LOGINS: Final = (
    Operation(
        logins.create_authentication, Tag.LOGINS, funds.IdOut, {"id": ex.AUTHENTICATION}, body=funds.NewAuthenticationIn,
        body_example=ex.NEW_AUTHENTICATION, keyed=Keyed.ACCEPTED,
        refuses=(*_REFUSES_ASKING, funds_errors.AuthenticationExists),
        links=tuple(Link(to, {"authenticationId": "/id"}) for to in ("getAuthentication", "revokeAuthentication")),
    ),
    Operation(
        logins.list_authentications, Tag.LOGINS, Page(funds.AuthenticationOut), {"data": [ex.AUTHENTICATION_OUT], "next": None},
        statuses=AuthenticationState,
    ),
    Operation(logins.get_authentication, Tag.LOGINS, funds.AuthenticationOut, ex.AUTHENTICATION_OUT),
    Operation(
        logins.revoke_authentication, Tag.LOGINS, funds.AuthenticationOut, {**ex.AUTHENTICATION_OUT, "status": "revoked"},
    ),
    Operation(
        logins.create_login_grant, Tag.LOGINS, funds.GrantOut, ex.GRANT, body=funds.LoginGrantIn, body_example=ex.NEW_GRANT,
        keyed=Keyed.REFUSED, refuses=_REFUSES_ASKING,
    ),
)  # fmt: skip

RECEIVING: Final = (
    Operation(
        logins.list_receiving_accounts, Tag.RECEIVING, Page(funds.ReceivingAccountOut, None),
        {"data": [ex.RECEIVING_ACCOUNT_OUT], "next": None},
    ),
)  # fmt: skip

_ENDPOINT_ID = {"endpointId": "/id"}
ENDPOINTS: Final = (
    Operation(
        webhooks.create_endpoint, Tag.ENDPOINTS, hooks.EndpointOut, ex.WITH_SECRET, body=hooks.NewEndpointIn,
        body_example=ex.NEW_ENDPOINT, keyed=Keyed.REFUSED, refuses=(TooManyEndpoints, TakesTwoPeople),
        links=tuple(
            Link(to, _ENDPOINT_ID)
            for to in ("getEndpoint", "changeEndpoint", "rotateSecret", "disableEndpoint", "enableEndpoint", "testEndpoint")
        ),
    ),
    Operation(webhooks.list_endpoints, Tag.ENDPOINTS, hooks.EndpointsOut, {"data": [ex.ENDPOINT_OUT], "next": None}),
    Operation(webhooks.get_endpoint, Tag.ENDPOINTS, hooks.EndpointOut, ex.ENDPOINT_OUT),
    Operation(
        webhooks.change_endpoint, Tag.ENDPOINTS, hooks.EndpointOut, {**ex.ENDPOINT_OUT, "description": "Case management 2"},
        body=hooks.EndpointChangeIn, body_example={"description": "Case management 2"}, refuses=(TakesTwoPeople,),
    ),
    Operation(
        webhooks.test_endpoint, Tag.ENDPOINTS, hooks.PingOut, {"id": ex.EVENT}, refuses=(EndpointDisabled,)
    ),
    Operation(
        webhooks.rotate_secret, Tag.ENDPOINTS, hooks.EndpointOut,
        {**ex.WITH_SECRET, "oldSecretUntil": "2026-03-03T09:30:00.000Z"}, body=hooks.RotationIn,
        body_example={"overlapSeconds": 3600}, body_required=False, keyed=Keyed.REFUSED,
    ),
    Operation(
        webhooks.disable_endpoint, Tag.ENDPOINTS, hooks.EndpointOut,
        {**ex.ENDPOINT_OUT, "status": "disabled", "disabledReason": "asked"},
    ),
    Operation(webhooks.enable_endpoint, Tag.ENDPOINTS, hooks.EndpointOut, ex.ENDPOINT_OUT),
    Operation(webhooks.delete_endpoint, Tag.ENDPOINTS),
)  # fmt: skip

EVENTS: Final = (
    Operation(
        webhooks.list_events, Tag.EVENTS, Page(hooks.EventOut, int, always=True), {"data": [ex.EVENT_OUT], "next": 1}
    ),
    Operation(webhooks.get_event, Tag.EVENTS, hooks.EventOut, ex.EVENT_OUT),
    Operation(webhooks.list_deliveries, Tag.EVENTS, hooks.DeliveriesOut, {"data": [ex.DELIVERY_OUT], "next": None}),
    Operation(
        webhooks.replay_event, Tag.EVENTS, hooks.ReplayedOut, {"deliveries": 1, "next": None}, body=hooks.ReplayIn,
        body_example={}, body_required=False,
    ),
    Operation(
        webhooks.replay_range, Tag.EVENTS, hooks.ReplayedOut, {"deliveries": 1, "next": None}, body=hooks.RangeReplayIn,
        body_example={"after": 0, "through": 1}     ),
)  # fmt: skip

OPERATIONS: Final = (
    *TOKENS, *CASES, *CREDIT_REQUESTS, *ACCOUNT_REQUESTS, *LOGINS, *RECEIVING, *ENDPOINTS, *EVENTS,
)  # fmt: skip
