"""What `make run` writes down of its demo issuer and merchant, and reads again at the next start."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from strongroom.access.model import PRINTED_CLIENT_ID

PRINTED_SECRET = "secret"  # noqa: S105  # the document prints it; production refuses the client
BANK_ID = 8


@dataclass(frozen=True, slots=True)
class DemoCard:
    """An enrolled card: what confirms it, and for a device the seed that a visitor's `oathtool` shows its codes from."""

    token: str  # sms, hotp or totp
    pan: str = field(repr=False)
    seed: str = field(default="", repr=False)

    @property
    def device(self) -> str:
        """Return the command that shows the device's next code; empty for a telephone."""
        return {"hotp": f"oathtool --counter=0 {self.seed}", "totp": f"oathtool --totp {self.seed}"}.get(self.token, "")


@dataclass(frozen=True, slots=True)
class SafeTokenDemo:
    """What a visitor needs to be the issuer's or the merchant's developer."""

    issuer_id: str
    merchant_client_id: str
    merchant_client_secret: str = field(repr=False)
    cards: tuple[DemoCard, ...] = ()

    def card(self, token: str) -> DemoCard:
        """Return the card that is confirmed by one kind of token."""
        return next(card for card in self.cards if card.token == token)


def read_safetoken(report: Path) -> SafeTokenDemo | None:
    """Return what an earlier run wrote down."""
    try:
        document = json.loads(report.read_text())
        return SafeTokenDemo(
            document["safetoken_issuer_id"],
            document["safetoken_merchant_client_id"],
            document["safetoken_merchant_client_secret"],
            tuple(DemoCard(card["token"], card["pan"], card["seed"]) for card in document["safetoken_cards"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def describe_shop(demo: SafeTokenDemo, base_url: str, inbox_url: str) -> dict[str, object]:
    """Return what the merchant's checkout knows."""
    cards = [{"token": card.token, "pan": card.pan, "device": card.device} for card in demo.cards]
    secret = demo.merchant_client_secret
    return {
        "base_url": base_url, "client_id": demo.merchant_client_id, "client_secret": secret, "inbox_url": inbox_url, "cards": cards,
    }  # fmt: skip


def describe(demo: SafeTokenDemo, base_url: str, tls_url: str, certificates: Path) -> dict[str, object]:
    """Return what scripts read of Safe Token."""
    return {
        "safetoken_url": f"{base_url}/api/v1/safetoken",
        "safetoken_token_url": f"{base_url}/passport/oauth/token",
        "safetoken_client_id": PRINTED_CLIENT_ID,
        "safetoken_client_secret": PRINTED_SECRET,
        "safetoken_bank_id": BANK_ID,
        "safetoken_issuer_id": demo.issuer_id,
        "safetoken_merchant_client_id": demo.merchant_client_id,
        "safetoken_merchant_client_secret": demo.merchant_client_secret,
        "safetoken_cards": [asdict(card) | {"device": card.device} for card in demo.cards],
        "safetoken_tls_url": tls_url,
        "safetoken_tls_folder": str(certificates),
    }
