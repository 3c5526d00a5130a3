"""The gate of the bank's API, over mutual TLS: which address leads where, and how the testers' levers disturb it."""

from __future__ import annotations

import asyncio

from modelbank.banks import Bank
from modelbank.config import Config
from modelbank.database import Pool
from modelbank.levers import store as levers
from modelbank.oauth.backchannel.endpoint import BackchannelEndpoint
from modelbank.oauth.discovery import discovery, key_set
from modelbank.oauth.pushed import PushEndpoint
from modelbank.oauth.tokens import TokenEndpoint
from modelbank.openbanking import accounts, funds, payments
from modelbank.openbanking.accounts import Accounts
from modelbank.openbanking.funds import Funds
from modelbank.openbanking.guard import Endpoint, Guard, broken, interaction_id
from modelbank.openbanking.payments import Payments
from modelbank.openbanking.schemas import (
    AccessConsentRequest,
    FundsConsentRequest,
    FundsRequest,
    PaymentConsentRequest,
    PaymentRequest,
)
from modelbank.openbanking.standing import KINDS
from modelbank.web.asgi import Application, Found, Request, Response, Routes, WrongMethod, json_response

_RETRY_SECONDS = "30"
_RESOURCES, _CRASHED = "/open-banking/", 500
_PRODUCT = {"products": "product"}  # the standard's one address in the singular


class Gateway:
    """Answers every request to the API listener."""

    def __init__(self, config: Config, banks: dict[str, Bank], pool: Pool) -> None:
        self._banks = banks
        self._pool = pool
        self._oauth: dict[str, TokenEndpoint | PushEndpoint | BackchannelEndpoint] = {
            "token": TokenEndpoint(pool, config.limits),
            "par": PushEndpoint(pool),
            "backchannel": BackchannelEndpoint(pool, config.limits),
        }
        self._guard = Guard(pool, config.limits)
        pis, ais = Payments(pool, config.schedule, config.limits), Accounts(pool)
        self._routes = Routes([*_PUBLIC, *_payment_routes(pis), *_account_routes(ais), *_funds_routes(Funds(pool))])

    def application(self) -> Application:
        """Return the ASGI application."""
        return Application(self._answer, self._failed)

    async def _answer(self, request: Request) -> Response:
        bank, path = self._bank_of(request)
        answer = Response(404) if bank is None else await self._disturbed(bank, request, path)
        if answer.dropped:
            return answer
        return answer.with_headers(("x-fapi-interaction-id", interaction_id(request)))

    def _bank_of(self, request: Request) -> tuple[Bank | None, str]:
        """Return the bank that an address begins with, and the rest of the address."""
        bank_id, _, path = request.path.removeprefix("/").partition("/")
        return self._banks.get(bank_id), f"/{path}"

    def _failed(self, request: Request, status: int) -> Response:
        bank, path = self._bank_of(request)
        answer = broken(bank, path) if bank and status == _CRASHED and path.startswith(_RESOURCES) else Response(status)
        return answer.with_headers(("x-fapi-interaction-id", interaction_id(request)))

    async def _disturbed(self, bank: Bank, request: Request, path: str) -> Response:
        switches = await levers.get_switches(self._pool, bank.id)
        if switches.delay_seconds:
            await asyncio.sleep(switches.delay_seconds)
        if switches.down:
            return Response(503, headers=(("retry-after", _RETRY_SECONDS),))
        answer = await self._route(bank, request, path)
        if switches.drop_answers and _acts(request, path) and await levers.take_drop(self._pool, bank.id):
            return Response(dropped=True)
        return answer

    async def _route(self, bank: Bank, request: Request, path: str) -> Response:
        match self._routes.find(request.method, path):
            case None:
                return Response(404)
            case WrongMethod(allowed):
                return Response(405, headers=(("allow", ", ".join(allowed)),))
            case Found("discovery", _):
                return json_response(200, discovery(bank))
            case Found("jwks", _):
                return json_response(200, key_set(bank))
            case Found("token" | "par" | "backchannel" as name, _):
                return await self._oauth[name].answer(bank, request)
            case Found(endpoint, values):
                return await self._guard.answer(bank, _with_values(request, dict(values)), endpoint)


def _with_values(request: Request, values: dict[str, str]) -> Request:
    return Request(
        request.method,
        request.path,
        request.query_string,
        request.headers,
        request.body,
        request.certificate,
        values,
    )


def _acts(request: Request, path: str) -> bool:
    """Only the answer to a payment order is worth losing: everything else may simply be asked again."""
    return request.method == "POST" and path == f"{payments.BASE}/domestic-payments"


_PUBLIC = [
    ("GET", "/.well-known/openid-configuration", "discovery"),
    ("GET", "/jwks", "jwks"),
    ("POST", "/token", "token"),
    ("POST", "/par", "par"),
    ("POST", "/bc-authorize", "backchannel"),
]


def _payment_routes(pis: Payments) -> list[tuple[str, str, Endpoint]]:
    consents, orders = f"{payments.BASE}/domestic-payment-consents", f"{payments.BASE}/domestic-payments"
    return [
        ("POST", consents, Endpoint(pis.create_consent, "payments", "client", PaymentConsentRequest, idempotent=True)),
        ("GET", f"{consents}/{{ConsentId}}", Endpoint(pis.read_consent, "payments", "client")),
        ("GET", f"{consents}/{{ConsentId}}/funds-confirmation", Endpoint(pis.confirm_funds, "payments", "customer")),
        ("POST", orders, Endpoint(pis.create_payment, "payments", "customer", PaymentRequest, idempotent=True)),
        ("GET", f"{orders}/{{DomesticPaymentId}}", Endpoint(pis.read_payment, "payments", "client")),
        ("GET", f"{orders}/{{DomesticPaymentId}}/payment-details", Endpoint(pis.read_details, "payments", "client")),
    ]


def _account_routes(ais: Accounts) -> list[tuple[str, str, Endpoint]]:
    consents = f"{accounts.BASE}/account-access-consents"
    open_to_customers = {
        "/accounts": ais.list_accounts,
        "/accounts/{AccountId}": ais.read_account,
        "/accounts/{AccountId}/balances": ais.read_balances,
        "/accounts/{AccountId}/transactions": ais.read_transactions,
        "/accounts/{AccountId}/party": ais.read_account_party,
        "/accounts/{AccountId}/parties": ais.list_account_parties,
        "/balances": ais.list_balances,
        "/transactions": ais.list_transactions,
        "/party": ais.read_party,
        "/statements": ais.list_statements,
        "/accounts/{AccountId}/statements": ais.read_statements,
        "/accounts/{AccountId}/statements/{StatementId}": ais.read_statement,
        "/accounts/{AccountId}/statements/{StatementId}/transactions": ais.read_statement_transactions,
        **{f"/{kind.path}": ais.read_standing(kind, of_one=False) for kind in KINDS.values()},
        **{
            f"/accounts/{{AccountId}}/{_PRODUCT.get(path, path)}": ais.read_standing(kind, of_one=True)
            for path, kind in KINDS.items()
        },
    }
    file = Endpoint(ais.read_statement_file, "accounts", "customer", media_type="text/csv")
    return [
        ("GET", f"{accounts.BASE}/accounts/{{AccountId}}/statements/{{StatementId}}/file", file),
        ("POST", consents, Endpoint(ais.create_consent, "accounts", "client", AccessConsentRequest)),
        ("GET", f"{consents}/{{ConsentId}}", Endpoint(ais.read_consent, "accounts", "client")),
        ("DELETE", f"{consents}/{{ConsentId}}", Endpoint(ais.delete_consent, "accounts", "client")),
        *(("GET", f"{accounts.BASE}{path}", Endpoint(act, "accounts", "customer")) for path, act in open_to_customers.items()),
    ]


def _funds_routes(cof: Funds) -> list[tuple[str, str, Endpoint]]:
    consents = f"{funds.BASE}/funds-confirmation-consents"
    return [
        ("POST", consents, Endpoint(cof.create_consent, "fundsconfirmations", "client", FundsConsentRequest)),
        ("GET", f"{consents}/{{ConsentId}}", Endpoint(cof.read_consent, "fundsconfirmations", "client")),
        ("DELETE", f"{consents}/{{ConsentId}}", Endpoint(cof.delete_consent, "fundsconfirmations", "client")),
        ("POST", f"{funds.BASE}/funds-confirmations", Endpoint(cof.confirm, "fundsconfirmations", "customer", FundsRequest)),
    ]
