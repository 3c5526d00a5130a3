"""Writes docs/conformance.md from a run's outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.conformance.outcomes import Outcome, counted
from tests.rules.source import ROOT

PAGE = ROOT / "docs" / "conformance.md"
_OFFICIAL = ("mandatory", "conditional")
_TITLES = {
    "2 authorise": "The authorisation request",
    "3 headers": "Headers",
    "4 signatures": "Message signatures",
    "5 payments": "Payments",
    "6 accounts": "Account information: consents",
    "7 resources": "Account information: what is read",
    "8 decoupled": "The decoupled flow (CIBA)",
    "9 funds": "Confirmation of funds",
}
_OPENING = """\
# Conformance of the model bank

Written by `make conformance`, which starts a model bank and tries it. `make test` does the same, and refuses a page that says
anything else.

"""
_OFFICIAL_OPENING = """
## The official payment tests

The functional conformance suite of Open Banking Limited describes its tests in manifests (v4.0, `ob_4.0_payment_fca.json`). Our own
runner reads them and does as the official suite does: its bodies, its choice of token, its headers and signatures; the customer
agrees without pages (headless); answers are checked against the official OpenAPI document and their signatures verified where the
test asks for it. A conditional test is skipped only when the bank answers that it has no such endpoint, with 404.

| test | kind | what it checks | result |
|---|---|---|---|
"""
_RULES_OPENING = """
## Our own tests of the standard's rules

For each rule one attempt to break it (or, where a rule grants something, to see it granted, and withheld). *Seen* is the bank's
answer. Every refusal is also checked to carry `x-fapi-interaction-id`, and every one with a body under `/pisp` to be signed by the
bank; what is read of accounts is checked against the official OpenAPI document.
"""
_CLOSING = """
## Between the connector and the bank

`tests/banking/test_through_prism.py` puts [Prism](https://github.com/stoplightio/prism) with the official documents between our
connector and the model bank: a payment that is credited, one that is rejected late, and an account that is shared. It finds no
request and no answer off the documents.

`tests/conformance/test_against_schemathesis.py` lets [Schemathesis](https://schemathesis.readthedocs.io), as a third party that
signs what it sends, try the bank's operations of all three official documents with examples and random data, and follow the
consents that it makes: no server error, and no answer whose status, content type, headers or body is off the document.

`tests/modelbank/test_openid_client.py` lets npm's [openid-client](https://github.com/panva/openid-client) pay and share by
redirect, pushed request and signed response, and pay by the decoupled flow.

`tests/banking/test_against_oidc_provider.py` lets the connector pay and share at npm's
[oidc-provider](https://github.com/panva/node-oidc-provider) in its FAPI 1.0 manner: with an id_token, with the answer signed
as a whole, and where it demands pushed requests. Harbour Building Society, the second of the model banks, demands them too, so
every journey there goes by one (`tests/journeys/customer/test_pushed.py`).

## What the bank has, and what it leaves out

| of the standard | kind | here |
|---|---|---|
| domestic payments: consent, funds confirmation, payment, refund account | mandatory | all |
| details of a payment | conditional | all |
| scheduled, recurring, international and file payments, standing orders | conditional | left out: 404 |
| accounts: consent, accounts, balances, transactions | mandatory | all |
| what else stands about accounts: parties, beneficiaries, products, statements … | conditional | all, of one account and of all |
| a statement's file | optional | comma-separated values (`Accept: text/csv`); see below |
| pages of a long list (`Links.Next`) | optional | transactions; other lists are one page |
| confirmation of funds | mandatory for card issuers | all |
| a consent that lasts is authorised again | mandatory | by its own customer; the token before ends |
| decoupled flow | optional | poll, no ping; the intent alone names the customer, or `id_token_hint` |
| event notifications, encrypted messages, dynamic registration | optional | left out; clients are registered by configuration |

The official document draws a statement's file as a JSON object, the standard's text as unstructured data in the form that `Accept`
names. The bank follows the text, so Schemathesis leaves that one operation out; our own tests do not.
"""


def render(outcomes: Sequence[Outcome]) -> str:
    """Return the whole page."""
    official = [outcome for outcome in outcomes if outcome.part in _OFFICIAL]
    rows = [f"| {one.id} | {one.part} | {one.title} | {_result(one)} |\n" for one in official]
    return "".join([_OPENING, f"{counted(outcomes)}\n", _OFFICIAL_OPENING, *rows, _RULES_OPENING, *_rules(outcomes), _CLOSING])


def _rules(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for part, title in _TITLES.items():
        yield f"\n### {title}\n\n| rule | result | seen |\n|---|---|---|\n"
        for one in outcomes:
            if one.part == part:
                yield f"| {one.title} | {one.result} | {one.remark} |\n"


def _result(one: Outcome) -> str:
    return f"{one.result}: {one.remark}" if one.remark else one.result
