"""What binds the code of a device that signs to a purchase (RTS Art. 5): the question that is typed into it.

The question is a keyed hash of the purchase's id, amount, currency, payee and reference, as so many digits. Who lacks the key can
tell no purchase's question, and two purchases have the same one by chance only: of eight digits, once in a hundred million. It is
made again from the purchase's row when a code is judged: were amount or payee changed meanwhile, it would be another question, and
the code wrong.
"""

from __future__ import annotations

from strongroom.kit.vault import Vault
from strongroom.sca.purchasing.model import Purchase


def make_question(vault: Vault, purchase: Purchase, length: int) -> str:
    """Return the question of a purchase, of so many digits."""
    linked = vault.hash(
        "purchase question", purchase.id, str(purchase.amount_minor), purchase.currency, purchase.payee, purchase.reference
    )
    return f"{int.from_bytes(linked) % 10**length:0{length}d}"


def find_question(vault: Vault, purchase: Purchase) -> str | None:
    """Return the question that an open purchase has by what its row says now; None when none was asked."""
    return make_question(vault, purchase, len(purchase.question)) if purchase.question else None
