"""Every address of the customer's website, so that pages and handlers never spell one out."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

START: Final = "/customer"
STATIC: Final = "/customer/static"
LOGIN: Final = "/customer/login"
CODE: Final = "/customer/code"
CODE_AGAIN: Final = "/customer/code/again"
ACTIONS: Final = "/customer/actions"
CONSENTS: Final = "/customer/consents"
HELP: Final = "/customer/help"
PRIVACY: Final = "/customer/privacy"
SIGN_OUT: Final = "/customer/sign-out"
EXTEND: Final = "/customer/session/extend"
BANK_RETURN: Final = "/customer/return"
BRANDS_CSS: Final = "/customer/banks.css"


def genuine(firm_id: str | None = None) -> str:
    """Return the page that says how to check that a message is genuine, in general or for one firm."""
    return "/customer/genuine" + (f"?{urlencode({'firm': firm_id})}" if firm_id else "")


def firm_css(firm_id: str) -> str:
    """Return the stylesheet that holds one firm's accent colour."""
    return f"/customer/firm/{quote(firm_id, safe='')}.css"


def bank_logo(name: str) -> str:
    """Return a bank's logo; the name is made from its content."""
    return f"/customer/bank-logo/{quote(name, safe='')}"


def grant(token: str) -> str:
    """Return the page that a firm's app opens."""
    return f"/customer/grant/{quote(token, safe='')}"


def pay(request_id: str) -> str:
    """Return the bank choice of a credit request."""
    return f"/customer/pay/{quote(request_id, safe='')}"


def pay_check(request_id: str, bank_id: str | None = None) -> str:
    """Return the page on which a payment is checked and agreed; without a bank, the address that its form posts to."""
    return f"{pay(request_id)}/check" + (f"?{urlencode({'bank': bank_id})}" if bank_id else "")


def payment(payment_id: str, page: str = "", *, shown: str = "") -> str:
    """Return the live page of a payment, or with `page`: `go`, `bank`, `status` (of what is `shown`), `receipt`, `another-bank`."""
    here = f"/customer/payments/{quote(payment_id, safe='')}" + (f"/{page}" if page else "")
    return here + (f"?{urlencode({'shown': shown})}" if shown else "")


def share(request_id: str, page: str = "") -> str:
    """Return the first page of a customer account request, or with `page`: `bank`."""
    return f"/customer/share/{quote(request_id, safe='')}" + (f"/{page}" if page else "")


def share_check(request_id: str, bank_id: str | None = None) -> str:
    """Return the page on which sharing is checked and agreed; without a bank, the address that its form posts to."""
    return f"{share(request_id)}/check" + (f"?{urlencode({'bank': bank_id})}" if bank_id else "")


def sharing(share_id: str, page: str = "") -> str:
    """Return the live page of a sharing, or with `page`: `go`, `bank`, `status`, `another-bank`, `account`, `code` and so on."""
    return f"/customer/shares/{quote(share_id, safe='')}" + (f"/{page}" if page else "")


def phone_link(token: str) -> str:
    """Return the address in the code that a phone scans: a secret until it is used."""
    return f"/customer/on-phone/{quote(token, safe='')}"


def phone(hand_off_id: str, page: str = "") -> str:
    """Return what the phone shows until the computer has confirmed it, or with `page`: `status`."""
    return f"/customer/phone/{quote(hand_off_id, safe='')}" + (f"/{page}" if page else "")


def handed_over(hand_off_id: str, page: str = "") -> str:
    """Return what the computer shows while a phone goes on, or with `page`: `status`, `stop`."""
    return f"/customer/handed-over/{quote(hand_off_id, safe='')}" + (f"/{page}" if page else "")


def bank_choice(request_id: str) -> str:
    """Return the page with the banks, of a credit request or of a customer account request."""
    return pay(request_id) if request_id.startswith("csp-") else share(request_id, "bank")


def revoke(consent_id: str) -> str:
    """Return the page that asks whether a consent is to be ended, and ends it by POST."""
    return f"{CONSENTS}/{quote(consent_id, safe='')}/revoke"


def unrecognised(request_id: str) -> str:
    """Return the page that freezes a request which the customer does not recognise."""
    return f"/customer/unrecognised/{quote(request_id, safe='')}"
