"""The use cases behind the pages: what the customer's website may call, and nothing besides."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.access.firms import Firms
from strongroom.access.handoffs import HandOffs
from strongroom.access.sessions import Sessions
from strongroom.banking.registry import Registry
from strongroom.funds.account_requests import AccountRequests
from strongroom.funds.authentications import Authentications
from strongroom.funds.desk import Desk
from strongroom.funds.grants import LoginGrants
from strongroom.funds.payments import Payments
from strongroom.funds.requests import CreditRequests
from strongroom.funds.share_proofs import ShareProofs
from strongroom.funds.sharing import Sharing
from strongroom.kit.vault import Vault
from strongroom.portal.views.paying import Provider


@dataclass(frozen=True, slots=True)
class Site:
    """Where the website is and who answers for it."""

    base_url: str
    host: str
    is_https: bool
    provider: Provider
    only_firm_id: str | None = None  # where a single firm uses the service, its name stands on every page


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything that a page can open."""

    site: Site
    vault: Vault
    registry: Registry
    firms: Firms
    sessions: Sessions
    hand_offs: HandOffs
    authentications: Authentications
    grants: LoginGrants
    desk: Desk
    requests: CreditRequests
    account_requests: AccountRequests
    payments: Payments
    sharing: Sharing
    proofs: ShareProofs
