"""The demo tenants of `make run`: a firm whose account two people agreed on, an issuer with the document's client, a merchant."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

import pyotp

from strongroom.access.issuer_model import IssuerSettings
from strongroom.access.model import FIRM_SCOPES, SCOPES_OF, ClientProfile, FirmSettings, StaffMember, TenantKind
from strongroom.dev_parts import Demo
from strongroom.dev_safetoken import BANK_ID, PRINTED_SECRET, DemoCard, SafeTokenDemo
from strongroom.funds.model import AccountKind
from strongroom.funds.receiving import NewReceivingAccount
from strongroom.kit.crypto import Secret
from strongroom.kit.log import passes_luhn
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import Kind, NewToken
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.settings import Settings
from strongroom.wiring import House, build

_OPERATOR = "operator:make-run"
_FIRM = "Marlow Finch Solicitors"
_SETTINGS = FirmSettings(
    logo_text="Marlow Finch",
    registered_name="Marlow Finch Solicitors LLP",
    registered_number="OC000000 (pretend)",
    address="1 Example Street, London",
    phone="020 7946 0000",
    role_text="A pretend firm of solicitors, made for trying this software.",
    accent_colour="#1b5e52",
)


_CARDS = ("506181", "506183")  # those of the document's samples
_PHONE = "2348000000008"
_PROFILE = ClientProfile(merchant_code="MX10003", requestor_id="123588975884", client_name="kL79ov", payable_id="359854")


async def make_demo(settings: Settings) -> Demo:
    """Make the demo firm with its client and receiving account."""
    house = await build(settings)
    try:
        return await _make(house)
    finally:
        await house.close()


async def make_safetoken(settings: Settings, hub_hash: str) -> SafeTokenDemo:
    """Make the demo issuer with the document's client, let the pretend hub call its service, and make a merchant with a till."""
    house = await build(settings)
    try:
        own = IssuerSettings(hub_certificate_hashes=(hub_hash,))
        issuer = await house.issuers.find_by_bank_id(BANK_ID)
        if issuer is None:
            issuer = await house.issuers.create(_OPERATOR, "Mango Bank", BANK_ID, _CARDS, own)
            await house.clients.create_printed(_OPERATOR, issuer.id, Secret(PRINTED_SECRET), _PROFILE)
        merchant = await house.merchants.create(_OPERATOR, "Corner shop")
        till = await house.clients.create(_OPERATOR, merchant.id, "till", SCOPES_OF[TenantKind.MERCHANT])
        cards = tuple([await _enrol_card(house, issuer.id, token) for token in ("sms", "hotp", "totp")])
        return SafeTokenDemo(issuer.id, till.client_id, till.secret.reveal() if till.secret else "", cards)
    finally:
        await house.close()


async def _enrol_card(house: House, issuer_id: str, token: str) -> DemoCard:
    """Enrol a card of nobody with a telephone, and give its holder a device of the kind named."""
    pan = _new_pan()
    enrolment = Enrolment(Secret(pan), _PHONE, {}, approved=True)
    enrolled = await house.cardholders.enrol(issuer_id, _OPERATOR, enrolment)
    assert isinstance(enrolled, Enrolled)  # noqa: S101  # the number is new
    if token == "sms":  # noqa: S105  # a kind of token
        return DemoCard(token, pan)
    seed, serial = secrets.token_hex(20), f"DEMO-{secrets.token_hex(4).upper()}"
    kind = Kind(token)
    tokens = OtpTokens(house.db, house.vault, house.cardholders)
    await tokens.import_one(
        issuer_id, _OPERATOR, NewToken(serial, Secret(seed), kind, period_seconds=30 if kind is Kind.TOTP else None)
    )
    await tokens.assign(issuer_id, _OPERATOR, serial, enrolled.cardholder_id)
    await tokens.activate(issuer_id, _OPERATOR, serial)
    return DemoCard(token, pan, seed)


def _new_pan() -> str:
    """Return a card number of the demo issuer that nobody has."""
    digits = f"{_CARDS[0]}{secrets.randbelow(10**9):09d}"
    return next(f"{digits}{last}" for last in range(10) if passes_luhn(f"{digits}{last}"))


async def _make(house: House) -> Demo:
    firm = await house.firms.create(_OPERATOR, _FIRM, _SETTINGS)
    client = await house.clients.create(_OPERATOR, firm.id, "Demo client", FIRM_SCOPES)
    proposer = await _member(house, firm.id, "Avery Finch", "avery@example.com")
    approver = await _member(house, firm.id, "Robin Marlow", "robin@example.com")
    account = NewReceivingAccount("Marlow Finch Client Account", "200052", "55779911", AccountKind.CLIENT)
    account_id = await house.receiving.propose(proposer, account)
    await house.receiving.approve(approver, account_id)
    return Demo(firm.id, client.client_id, client.secret.reveal() if client.secret else "")


async def _member(house: House, firm_id: str, name: str, email: str) -> StaffMember:
    """Add a pretend person and let them authenticate as themselves."""
    password = Secret(secrets.token_urlsafe(18))
    added = await house.staff.create(_OPERATOR, firm_id, name, email, password)
    seed = parse_qs(urlsplit(added.totp_uri.reveal()).query)["secret"][0]
    code = pyotp.TOTP(seed).now()
    return await house.staff.authenticate(firm_id, email, password, Secret(code))
