"""The demo firm of `make run`: an API client, and a receiving account that one pretend person proposes and another approves."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, urlsplit

import pyotp

from strongroom.access.model import FIRM_SCOPES, FirmSettings, StaffMember
from strongroom.dev_parts import Demo
from strongroom.funds.model import AccountKind
from strongroom.funds.receiving import NewReceivingAccount
from strongroom.kit.crypto import Secret
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


async def make_demo(settings: Settings) -> Demo:
    """Make the demo firm with its client and receiving account."""
    house = await build(settings)
    try:
        return await _make(house)
    finally:
        await house.close()


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
