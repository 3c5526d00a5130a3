"""Section 5: payments."""

from __future__ import annotations

import httpx

from tests.conformance.rule import CONSENTS, ORDERS, Attempt, Rule, Stage, authorised, changed, consent, got, refusal
from tests.modelbank.conftest import Agreed, agree_payment
from tests.modelbank.foreign_client import consent_body

_INITIATION = "Data.Initiation"


async def _agreed(stage: Stage) -> Agreed:
    return await agree_payment(stage.tpp, stage.browser)


def _ordered(path: str, value: object) -> Attempt:
    """Submit a payment that differs from what the customer agreed."""

    async def attempt(stage: Stage) -> str:
        agreed = await _agreed(stage)
        return await refusal(stage.tpp, await stage.tpp.post(ORDERS, changed(agreed.order, path, value), agreed.token))

    return attempt


async def _paid(stage: Stage) -> tuple[Agreed, httpx.Response]:
    agreed = await _agreed(stage)
    return agreed, await stage.tpp.post(ORDERS, agreed.order, agreed.token)


async def _consent_with_customers_token(stage: Stage) -> str:
    agreed = await _agreed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(CONSENTS, consent_body(), agreed.token))


async def _consent_with_accounts_token(stage: Stage) -> str:
    answer = await stage.tpp.post(CONSENTS, consent_body(), await stage.tpp.client_token("accounts"))
    return await refusal(stage.tpp, answer)


async def _order_with_clients_token(stage: Stage) -> str:
    agreed = await _agreed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(ORDERS, agreed.order, await stage.tpp.client_token("payments")))


async def _funds_with_clients_token(stage: Stage) -> str:
    agreed = await _agreed(stage)
    path = f"{CONSENTS}/{agreed.consent_id}/funds-confirmation"
    return await refusal(stage.tpp, await stage.tpp.get(path, await stage.tpp.client_token("payments")))


async def _funds_after_use(stage: Stage) -> str:
    agreed, _ = await _paid(stage)
    return await refusal(stage.tpp, await stage.tpp.get(f"{CONSENTS}/{agreed.consent_id}/funds-confirmation", agreed.token))


async def _funds_of_another_consent(stage: Stage) -> str:
    one, two = await _agreed(stage), await _agreed(stage)
    return await refusal(stage.tpp, await stage.tpp.get(f"{CONSENTS}/{one.consent_id}/funds-confirmation", two.token))


async def _order_of_another_consent(stage: Stage) -> str:
    one, two = await _agreed(stage), await _agreed(stage)
    return await refusal(stage.tpp, await stage.tpp.post(ORDERS, one.order, two.token))


async def _second_order(stage: Stage) -> str:
    agreed, _ = await _paid(stage)
    return await refusal(stage.tpp, await stage.tpp.post(ORDERS, agreed.order, agreed.token))


async def _instruction_used_twice(stage: Stage) -> str:
    first, _ = await _paid(stage)
    instruction = first.body["Data"]["Initiation"]["InstructionIdentification"]
    second = await agree_payment(stage.tpp, stage.browser, InstructionIdentification=instruction)
    return await refusal(stage.tpp, await stage.tpp.post(ORDERS, second.order, second.token))


async def _agreed_again(stage: Stage) -> str:
    agreed = await _agreed(stage)
    return await authorised(stage, stage.tpp.request_claims(agreed.consent_id))


async def _deleted(stage: Stage) -> str:
    agreed = await _agreed(stage)
    return await refusal(
        stage.tpp, await stage.tpp.delete(f"{CONSENTS}/{agreed.consent_id}", await stage.tpp.client_token("payments"))
    )


async def _anothers_consent(stage: Stage) -> str:
    agreed = await _agreed(stage)
    token = await stage.other.client_token("payments")
    return await refusal(stage.tpp, await stage.other.get(f"{CONSENTS}/{agreed.consent_id}", token))


async def _anothers_payment(stage: Stage) -> str:
    _, answer = await _paid(stage)
    path = f"{ORDERS}/{answer.json()['Data']['DomesticPaymentId']}"
    return await refusal(stage.tpp, await stage.other.get(path, await stage.other.client_token("payments")))


async def _anothers_details(stage: Stage) -> str:
    _, answer = await _paid(stage)
    path = f"{ORDERS}/{answer.json()['Data']['DomesticPaymentId']}/payment-details"
    return await refusal(stage.tpp, await stage.other.get(path, await stage.other.client_token("payments")))


async def _refund_not_asked_for(stage: Stage) -> str:
    body = changed(consent_body(), "Data.ReadRefundAccount", "No")
    consent_id = await stage.tpp.create_payment_consent(body)
    back = await stage.browser.agree(stage.tpp.authorize_query(stage.tpp.request_claims(consent_id)))
    token = (await stage.tpp.exchange(back["code"])).json()["access_token"]
    answer = await stage.tpp.post(ORDERS, Agreed(consent_id, body, token).order, token)
    return f"{answer.status_code}, {'a' if 'Refund' in answer.json()['Data'] else 'no'} refund account"


async def _consumed(stage: Stage) -> str:
    agreed, answer = await _paid(stage)
    read = await stage.tpp.get(f"{CONSENTS}/{agreed.consent_id}", await stage.tpp.client_token("payments"))
    return f"{answer.json()['Data']['Status']}, consent {read.json()['Data']['Status']}"


_CLIENTS = "a duty of the client: the standard lets the bank take more"
RULES = (
    Rule("A consent is made with the client's own token", "403 AG01", _consent_with_customers_token),
    Rule("A consent is made with the scope payments", "403 AG01", _consent_with_accounts_token),
    Rule("Funds are confirmed with a customer's token", "403 AG01", _funds_with_clients_token),
    Rule("Funds are confirmed for the token's own consent", "403 AG01", _funds_of_another_consent),
    Rule("Funds are confirmed only while the consent is authorised", "400 U009", _funds_after_use),
    Rule("A payment is made with a customer's token", "403 AG01", _order_with_clients_token),
    Rule("A payment is made with its own consent's token", "403 AG01", _order_of_another_consent),
    Rule("`Initiation` is identical: amount", "400 U008", _ordered(f"{_INITIATION}.InstructedAmount.Amount", "100.01")),
    Rule("`Initiation` is identical: payee", "400 U008", _ordered(f"{_INITIATION}.CreditorAccount.Name", "Another")),
    Rule("`Initiation` is identical: nothing is left out", "400 U008", _ordered(f"{_INITIATION}.RemittanceInformation", None)),
    Rule("`Risk` is identical", "400 U008", _ordered("Risk.PaymentContextCode", "TransferToSelf")),
    Rule("A payment names a consent that exists", "400 U011", _ordered("Data.ConsentId", "unknown")),
    Rule("A payment begins as RCVD and uses up its consent", "RCVD, consent COND", _consumed),
    Rule("A consent serves one payment", "400 U009", _second_order),
    Rule("An instruction serves one payment", "409 U029", _instruction_used_twice),
    Rule("A consent is not authorised twice", "error=invalid_request", _agreed_again),
    Rule("A payment consent cannot be deleted", "405 without a body", _deleted),
    Rule("An unknown consent", "400 U011", got(f"{CONSENTS}/unknown")),
    Rule("An unknown payment", "400 U011", got(f"{ORDERS}/unknown")),
    Rule("The details of an unknown payment", "400 U011", got(f"{ORDERS}/unknown/payment-details")),
    Rule("An endpoint that is not implemented", "404 without a body", got("pisp/international-payments/any")),
    Rule("A method that is not implemented", "405 without a body", got(CONSENTS)),
    Rule("Another client's consent", "403 AG01", _anothers_consent),
    Rule("Another client's payment", "403 AG01", _anothers_payment),
    Rule("Another client's payment details", "403 AG01", _anothers_details),
    Rule("A refund account is told only when it was asked for", "201, no refund account", _refund_not_asked_for),
    Rule("`ReadRefundAccount` is Yes or No", "400 U002", consent("Data.ReadRefundAccount", "yes")),
    Rule("`AuthorisationType` is Any or Single", "400 U002", consent("Data.Authorisation", {"AuthorisationType": "Both"})),
    Rule("Unknown members are refused", "400 U005", consent(f"{_INITIATION}.Extra", "x")),
    Rule("Unknown members of `Risk` are refused", "400 U005", consent("Risk.Extra", "x")),
    Rule("`Risk` is there", "400 U004", consent("Risk", None)),
    Rule("An empty text is no value", "400 U002", consent(f"{_INITIATION}.LocalInstrument", "")),
    Rule("v4 remittance is a list, not v3's text", "400 U002",
         consent(f"{_INITIATION}.RemittanceInformation", {"Unstructured": "text"})),
    Rule("v3's misspelt `ContractPresentInidicator` is unknown", "400 U005", consent("Risk.ContractPresentInidicator", "true")),
    Rule("v3's payment context is unknown", "400 U002", consent("Risk.PaymentContextCode", "EcommerceGoods")),
    Rule("The country of an address is a code", "400 U002", consent("Risk.DeliveryAddress", {"Country": "United Kingdom"})),
    Rule("An address type is one of the codes", "400 U002", consent("Risk.DeliveryAddress", {"AddressType": "Postal"})),
    Rule("`CategoryPurposeCode` is one of the codes", "400 U002", consent("Risk.CategoryPurposeCode", "ZZZZ")),
    Rule("`PaymentPurposeCode` is one of the codes", "400 U002", consent("Risk.PaymentPurposeCode", "ZZZZ")),
    Rule("`CreditorAccount.Name` is there", "400 U004", consent(f"{_INITIATION}.CreditorAccount.Name", None)),
    Rule("Sort code and account number are 14 digits", "400 U021",
         consent(f"{_INITIATION}.CreditorAccount.Identification", "2000005577991")),
    Rule("The account's scheme is one that the bank pays to", "400 U027",
         consent(f"{_INITIATION}.CreditorAccount.SchemeName", "UK.OBIE.Wallet")),
    Rule("`SecondaryIdentification` has at most 34 characters", "400 U002",
         consent(f"{_INITIATION}.CreditorAccount.SecondaryIdentification", "9" * 35)),
    Rule("`InstructionIdentification` has at most 35 characters", "400 U002",
         consent(f"{_INITIATION}.InstructionIdentification", "x" * 36)),
    Rule("`EndToEndIdentification` has at most 35 characters", "400 U002",
         consent(f"{_INITIATION}.EndToEndIdentification", "x" * 36)),
    Rule("A structured reference has at most 35 characters", "400 U002",
         consent(f"{_INITIATION}.RemittanceInformation.Structured", [{"CreditorReferenceInformation": {"Reference": "x" * 36}}])),
    Rule("Unstructured remittance has at most 140 characters", "400 U002",
         consent(f"{_INITIATION}.RemittanceInformation.Unstructured", ["x" * 141])),
    Rule("An amount has digits and at most five decimals", "400 U002",
         consent(f"{_INITIATION}.InstructedAmount.Amount", "1.000001")),
    Rule("An amount has at most 13 digits", "400 U002", consent(f"{_INITIATION}.InstructedAmount.Amount", "1" * 14)),
    Rule("An amount is text", "400 U002", consent(f"{_INITIATION}.InstructedAmount.Amount", 100)),
    Rule("The currency is one that the bank pays in", "400 U023", consent(f"{_INITIATION}.InstructedAmount.Currency", "EUR")),
    Rule("The local instrument is one that the bank has", "400 U026", consent(f"{_INITIATION}.LocalInstrument", "UK.OBIE.SWIFT")),
    Rule("References fit Faster Payments (31 and 18 characters)", reason=_CLIENTS),
    Rule("A payment after the cut-off time is rejected or rolled", reason="the bank has no cut-off: it pays at all hours"),
    Rule("A payment may need several people", reason="no account of the bank does"),
)  # fmt: skip
