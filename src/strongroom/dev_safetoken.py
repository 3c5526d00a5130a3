"""What `make run` writes down of its demo issuer and merchant, and reads again at the next start."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.access.model import PRINTED_CLIENT_ID

PRINTED_SECRET = "secret"  # noqa: S105  # the document prints it; production refuses the client
BANK_ID = 8


@dataclass(frozen=True, slots=True)
class SafeTokenDemo:
    """What a visitor needs to be the issuer's or the merchant's developer."""

    issuer_id: str
    merchant_client_id: str
    merchant_client_secret: str = field(repr=False)


def read_safetoken(report: Path) -> SafeTokenDemo | None:
    """Return what an earlier run wrote down."""
    try:
        document = json.loads(report.read_text())
        return SafeTokenDemo(
            document["safetoken_issuer_id"],
            document["safetoken_merchant_client_id"],
            document["safetoken_merchant_client_secret"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
        "safetoken_tls_url": tls_url,
        "safetoken_tls_folder": str(certificates),
    }
