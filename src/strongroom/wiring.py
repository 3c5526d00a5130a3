"""Joins everything, once, by hand: the only file that knows all the others. Tests build the same house with other keepers."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from strongroom.access.authentication import ClientAuthentication
from strongroom.access.clients import Clients
from strongroom.access.firms import Firms
from strongroom.access.handoffs import HandOffs
from strongroom.access.issuers import Issuers
from strongroom.access.merchants import Merchants
from strongroom.access.passport import Passport
from strongroom.access.sessions import Sessions
from strongroom.access.signing_keys import SigningKeys
from strongroom.access.staff import Staff
from strongroom.access.tokens import Tokens
from strongroom.banking.directory import Directory, DirectoryError, read_all
from strongroom.banking.registry import Registry
from strongroom.funds.account_requests import AccountRequests
from strongroom.funds.authentications import Answer, Authentications, Right, Shut, Wrong
from strongroom.funds.cases import Cases
from strongroom.funds.customer_changes import CustomerChanges
from strongroom.funds.customers import Customers
from strongroom.funds.desk import Desk
from strongroom.funds.evidence import PaymentEvidence
from strongroom.funds.grants import LoginGrants
from strongroom.funds.notices import Notices
from strongroom.funds.payment_moves import PaymentMoves
from strongroom.funds.payment_steps import PaymentSteps
from strongroom.funds.payments import Payments
from strongroom.funds.receiving import ReceivingAccounts
from strongroom.funds.requests import CreditRequests
from strongroom.funds.results import Results
from strongroom.funds.retention import Retention
from strongroom.funds.share_moves import ShareMoves
from strongroom.funds.share_proofs import ShareProofs
from strongroom.funds.share_seals import ShareSeals
from strongroom.funds.share_steps import ShareSteps
from strongroom.funds.sharing import Sharing
from strongroom.issuing.registry import RemoteIssuers
from strongroom.issuing.transport import Identity
from strongroom.kit.clock import own_now
from strongroom.kit.db import Database, Tx
from strongroom.kit.readiness import Readiness
from strongroom.kit.vault import Vault
from strongroom.notify.gateways.configured import GatewaysUnusable, open_routes
from strongroom.notify.gateways.inbox import InboxGateway
from strongroom.notify.messages import Messages
from strongroom.notify.model import MessageLimits, Rate, WatchRules
from strongroom.notify.port import Route
from strongroom.notify.texts import Texts
from strongroom.sca.answering.questions import Questions
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Accepted, Locked, Matched, Purpose
from strongroom.sca.purchasing.enrolled import EnrolledCards
from strongroom.sca.purchasing.judging import Judging
from strongroom.sca.purchasing.openings import Openings
from strongroom.sca.purchasing.proofs import Proofs
from strongroom.sca.purchasing.purchases import Purchases
from strongroom.settings import CountryWatch, Settings, SettingsError, SmsGateway
from strongroom.soap.signers import OurSigner, SignerFiles
from strongroom.webhooks.endpoints import Endpoints
from strongroom.webhooks.events import Events

RETURN_PATH = "/customer/return"
APP_ROLE = "strongroom_app"
WORKER_ROLE = "strongroom_worker"


class CustomerChallenges:
    """Lets the funds context use strong authentication without knowing it: translates one's words into the other's."""

    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges

    async def begin_login(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        """Open a challenge that no code opens yet; return its id."""
        return await self._challenges.begin(tx, tenant, Purpose.LOGIN, subject_hash)

    async def begin_share(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        """Open a challenge that finishes a sharing in another browser; return its id."""
        return await self._challenges.begin(tx, tenant, Purpose.SHARE, subject_hash)

    async def give_codes(self, tx: Tx, tenant: str, challenge_id: str, count: int) -> list[str]:
        """Make codes for an open challenge; an empty list when it is not open."""
        return await self._challenges.give_codes(tx, tenant, challenge_id, count)

    async def supersede(self, tx: Tx, tenant: str, challenge_id: str) -> None:
        """Close a challenge because a newer one takes its place."""
        await self._challenges.supersede(tx, tenant, challenge_id)

    async def answer(self, tenant: str, challenge_id: str, typed: str) -> Answer:
        """Charge a try, commit, compare."""
        outcome = await self._challenges.try_code(tenant, challenge_id, typed)
        if isinstance(outcome, Matched):
            return Right(outcome)
        if isinstance(outcome, Locked):
            return Shut(outcome.seconds, outcome.just_now)
        return Wrong(outcome.attempts_left)

    async def accept(self, tx: Tx, answer: Right) -> int | None:
        """Use the challenge up; return which code it was, or None when another was first."""
        assert isinstance(answer.proof, Matched)  # noqa: S101  # made by `answer` above and by nobody else
        accepted = await self._challenges.accept(tx, answer.proof)
        return accepted.target if isinstance(accepted, Accepted) else None

    async def locked_seconds(self, tx: Tx, tenant: str, subject_hash: bytes) -> int:
        """Return for how long a subject is still locked; 0 when it is not."""
        return await self._challenges.locked_seconds(tx, tenant, subject_hash)


@dataclass(frozen=True, slots=True)
class House:
    """Every use case, built over one database role."""

    settings: Settings
    db: Database
    vault: Vault
    readiness: Readiness
    registry: Registry
    firms: Firms
    issuers: Issuers
    cardholders: Cardholders
    otp_tokens: OtpTokens
    verification: Verification
    questions: Questions
    merchants: Merchants
    signing_keys: SigningKeys
    passport: Passport
    clients: Clients
    tokens: Tokens
    authentication: ClientAuthentication
    staff: Staff
    sessions: Sessions
    hand_offs: HandOffs
    events: Events
    endpoints: Endpoints
    messages: Messages
    texts: Texts
    customers: Customers
    customer_changes: CustomerChanges
    cases: Cases
    receiving: ReceivingAccounts
    results: Results
    authentications: Authentications
    grants: LoginGrants
    requests: CreditRequests
    account_requests: AccountRequests
    payments: Payments
    payment_steps: PaymentSteps
    sharing: Sharing
    share_steps: ShareSteps
    proofs: ShareProofs
    retention: Retention
    desk: Desk
    remote_issuers: RemoteIssuers
    signer: OurSigner | None
    purchases: Purchases
    purchase_proofs: Proofs

    async def close(self) -> None:
        """Let go of every connection."""
        await self.remote_issuers.close()
        await self.registry.close()
        await self.db.close()


async def build(settings: Settings, *, role: str = APP_ROLE, database_url: str | None = None) -> House:
    """Build the house over one database role. Raise DatabaseDown, RootKeysError, SettingsError or OSError."""
    vault = Vault(settings.keeper())
    registry = _open_registry(settings)
    url = database_url or settings.database_url.reveal()
    db = await Database.connect(url, role=role, size=settings.database_pool_size)
    return assemble(settings, db, vault, registry)


def assemble(settings: Settings, db: Database, vault: Vault, registry: Registry) -> House:
    """Join the use cases over what keeps their state."""
    firms, sessions, events = Firms(db), Sessions(db, vault), Events(db, vault)
    messages, texts = Messages(db, vault, message_limits(settings)), Texts()
    issuers = Issuers(db)
    tokens, signing_keys = Tokens(db, vault), SigningKeys(db, vault)
    customers = Customers(db, vault)
    results = Results(customers)
    payment_moves = PaymentMoves(results, events)
    seals = ShareSeals(vault, customers)
    share_moves = ShareMoves(customers, seals, results, events)
    receiving = ReceivingAccounts(db, vault, cooling_off_seconds=settings.receiving_cooling_off_seconds)
    challenges = CustomerChallenges(Challenges(db, vault))
    host = urlsplit(settings.base_url).hostname or ""
    notices = Notices(firms, customers, messages, texts, f"{settings.base_url}/customer")
    authentications = Authentications(
        db, vault, firms, customers, challenges, sessions, notices, messages, texts, events,
        host=host,
    )  # fmt: skip
    return_url = f"{settings.base_url}{RETURN_PATH}"
    merchants, cardholders = Merchants(db), Cardholders(db, vault, issuers, messages, texts)
    signer = _signer(settings)
    verification = Verification(db, vault, cardholders)
    remote_issuers = RemoteIssuers(_identity(settings), settings.issuer_hosts, signer)
    return House(
        settings=settings,
        db=db,
        vault=vault,
        readiness=Readiness(db, vault),
        registry=registry,
        firms=firms,
        issuers=issuers,
        cardholders=cardholders,
        otp_tokens=OtpTokens(db, vault, cardholders),
        verification=verification,
        questions=Questions(db, vault, cardholders, verification, Challenges(db, vault), messages, texts),
        merchants=merchants,
        signing_keys=signing_keys,
        clients=Clients(db, vault),
        tokens=tokens,
        authentication=ClientAuthentication(db, vault, settings.base_url, allow_printed=not settings.is_production),
        passport=Passport(db, vault, tokens, signing_keys, settings.base_url),
        staff=Staff(db, vault),
        sessions=sessions,
        hand_offs=HandOffs(db, vault, sessions),
        events=events,
        endpoints=Endpoints(db, vault, events, allow_loopback=settings.webhook_allow_loopback),
        messages=messages,
        texts=texts,
        customers=customers,
        customer_changes=CustomerChanges(db, customers, notices, sessions),
        cases=Cases(db, vault, firms, customers),
        receiving=receiving,
        results=results,
        authentications=authentications,
        grants=LoginGrants(db, vault, sessions, authentications),
        requests=CreditRequests(
            db, firms, customers, receiving, authentications, notices, results, payment_moves, events
        ),
        account_requests=AccountRequests(db, firms, authentications, notices, results, share_moves),
        payments=Payments(db, vault, registry, customers, receiving, payment_moves, return_url=return_url),
        payment_steps=PaymentSteps(db, vault, registry, customers, payment_moves, PaymentEvidence(db, customers)),
        sharing=Sharing(db, vault, registry, seals, results, share_moves, return_url=return_url),
        share_steps=ShareSteps(db, registry, seals, share_moves),
        proofs=ShareProofs(db, vault, firms, customers, challenges, messages, texts, share_moves, host=host),
        retention=Retention(db, sessions, keep_days=settings.retention_payments_days),
        desk=Desk(db, firms, customers, receiving, results),
        remote_issuers=remote_issuers,
        signer=signer,
        purchases=_purchases(db, vault, issuers, merchants, remote_issuers, cardholders, messages, texts),
        purchase_proofs=Proofs(db, vault, issuers, signing_keys, settings.base_url),
    )  # fmt: skip


def _purchases(
    db: Database,
    vault: Vault,
    issuers: Issuers,
    merchants: Merchants,
    remote: RemoteIssuers,
    cardholders: Cardholders,
    messages: Messages,
    texts: Texts,
) -> Purchases:
    """Join what purchases need."""
    challenges = Challenges(db, vault)
    cards = EnrolledCards(vault, challenges, cardholders, Verification(db, vault, cardholders))
    judging = Judging(db, vault, issuers, remote, challenges, cards, messages)
    return Purchases(db, vault, issuers, merchants, remote, Openings(vault, challenges, cards, messages, texts), judging)


def _signer(settings: Settings) -> OurSigner | None:
    """Return what SOAP messages are signed with; None when no certificate is set. Raise SignerFilesError."""
    if settings.soap_certificate is None or settings.soap_key is None:
        return None
    return OurSigner(SignerFiles(settings.soap_certificate, settings.soap_key))


def _identity(settings: Settings) -> Identity | None:
    """Return who we are to remote issuers; None when no certificate is set."""
    if settings.issuing_certificate is None or settings.issuing_key is None:
        return None
    return Identity(settings.issuing_certificate, settings.issuing_key, settings.issuing_ca)


def message_limits(settings: Settings) -> MessageLimits:
    """Return how many text messages may be asked for."""
    return MessageLimits(
        number=Rate(settings.sms_per_number_hour, settings.sms_per_number_day),
        prefix=Rate(settings.sms_per_prefix_hour, settings.sms_per_prefix_day),
        country=Rate(settings.sms_per_country_hour, settings.sms_per_country_day),
        home_country=Rate(settings.sms_per_home_country_hour, settings.sms_per_home_country_day),
        address=Rate(settings.sms_per_address_hour, settings.sms_per_address_day),
        client=Rate(settings.sms_per_client_hour, settings.sms_per_client_day),
        tenant=Rate(settings.sms_per_tenant_hour, settings.sms_per_tenant_day),
        home_countries=settings.sms_home,
        countries=settings.sms_to,
    )


def watch_rules(settings: Settings) -> WatchRules:
    """Return when codes that nobody uses pause anything."""
    return WatchRules(
        window_seconds=settings.sms_watch_window_seconds,
        prefix_numbers=settings.sms_watch_prefix_numbers,
        country_numbers=settings.sms_watch_country_numbers,
        share_percent=settings.sms_watch_share_percent,
        pause_seconds=settings.sms_pause_seconds,
        country_stops=settings.sms_watch_country is CountryWatch.PAUSE,
    )


def check_banks(settings: Settings) -> Directory | None:
    """Return the bank directory, read as a process reads it at its start; None without one. Raise SettingsError or OSError."""
    if settings.banks_directory is None:
        return None
    try:
        return read_all(settings.banks_directory, own_now().timestamp()).directory
    except DirectoryError as error:
        raise _broken_directory(error) from error


def sms_routes(settings: Settings) -> list[Route]:
    """Return the gateways that text messages leave by. Raise SettingsError when their file cannot be used."""
    if settings.sms_gateway is SmsGateway.INBOX:
        return [Route(InboxGateway(settings.inbox_url or "", production=settings.is_production))]
    assert settings.sms_gateways_file is not None  # noqa: S101  # load_settings refuses to go on without it
    try:
        return open_routes(settings.sms_gateways_file, settings.base_url, production=settings.is_production)
    except GatewaysUnusable as error:
        raise SettingsError([f"STRONGROOM_SMS_GATEWAYS_FILE: {fault}" for fault in error.faults]) from error


def _open_registry(settings: Settings) -> Registry:
    if settings.banks_directory is None:
        return Registry.without_banks()
    try:
        return Registry(settings.banks_directory)
    except DirectoryError as error:
        raise _broken_directory(error) from error


def _broken_directory(error: DirectoryError) -> SettingsError:
    return SettingsError([f"STRONGROOM_BANKS_DIRECTORY: {error}"])
