"""Who may log in to the hosted website, and how: e-mail, date of birth, and a code sent to the phone that the firm holds.

Nothing in the answer to an e-mail and date of birth, neither text nor time, tells whether such a person exists: the request
only notes a keyed hash, and a job looks the person up and sends codes. A session opened by a code covers only the records
whose phone received that very code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Protocol

import msgspec

from strongroom.access.firms import Firms
from strongroom.access.model import Record, SessionKind
from strongroom.access.sessions import Sessions
from strongroom.funds.customers import Customers, identity_hash
from strongroom.funds.errors import AuthenticationExists, CaseClosed
from strongroom.funds.model import Actor, AuditTag, Authentication, Page
from strongroom.funds.notices import Notices
from strongroom.funds.schemas import AuthenticationOut, print_known_time, print_time
from strongroom.funds.states import AUTHENTICATION, AuthenticationEvent
from strongroom.funds.store import cases as case_store
from strongroom.funds.store import logins as store
from strongroom.kit import audit, limits
from strongroom.kit.clock import now_of
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx, act_for
from strongroom.kit.errors import NotFound, UnknownCursor
from strongroom.kit.idempotency import Once
from strongroom.kit.ids import new_id
from strongroom.kit.jobs import NOTIFY
from strongroom.kit.limits import Limit
from strongroom.kit.vault import Vault
from strongroom.notify.errors import refusal_of
from strongroom.notify.messages import Messages
from strongroom.notify.model import Purpose as MessagePurpose
from strongroom.notify.texts import Template, Texts
from strongroom.webhooks.events import Events
from strongroom.webhooks.model import EventType

RESEND_AFTER_SECONDS = 30
_MAX_PHONES = 3  # codes are sent to at most so many different numbers for one e-mail and date of birth
_CODE_LIFE = timedelta(minutes=10)
_PER_ADDRESS = Limit("login tries per address", 30, 600)
_PER_IDENTITY = Limit("codes asked for per identity", 10, 600)
_LOGIN_PURPOSE = "login"

LoginRecord = tuple[str, str, str]  # firm, case, customer


class Challenges(Protocol):
    """What logging in needs of strong authentication; every method that takes a transaction leaves its commit to the caller."""

    async def begin_login(self, tx: Tx, tenant: str, subject_hash: bytes) -> str:
        """Open a challenge that no code opens yet; return its id."""
        ...

    async def give_codes(self, tx: Tx, tenant: str, challenge_id: str, count: int) -> list[str]:
        """Make codes for an open challenge; an empty list when it is not open."""
        ...

    async def supersede(self, tx: Tx, tenant: str, challenge_id: str) -> None:
        """Close a challenge because a newer one takes its place."""
        ...

    async def answer(self, tenant: str, challenge_id: str, typed: str) -> Answer:
        """Charge a try, commit, compare."""
        ...

    async def accept(self, tx: Tx, answer: Right) -> int | None:
        """Use the challenge up; return which code it was, or None when another was first."""
        ...

    async def locked_seconds(self, tx: Tx, tenant: str, subject_hash: bytes) -> int:
        """Return for how long a subject is still locked; 0 when it is not."""
        ...


@dataclass(frozen=True, slots=True)
class Right:
    """A code that compared equal; opaque to us, to be handed back to `accept`."""

    proof: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A code that did not; with the tries left."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class Shut:
    """No code is compared for so long; `just_now` when this very try set the lock."""

    seconds: int
    just_now: bool


Answer = Right | Wrong | Shut


@dataclass(frozen=True, slots=True)
class Welcome:
    """A login that succeeded: the new session."""

    session: Secret  # the id, for the cookie
    records: tuple[LoginRecord, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the page that asks for the code shows."""

    can_resend_in_seconds: int
    locked_seconds: int
    is_open: bool


class CreatedAuthentication(msgspec.Struct, frozen=True):
    """What the caller learns of a new authentication."""

    id: str


class Authentications:
    """Use cases over customer authentications and hosted logins."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        firms: Firms,
        customers: Customers,
        challenges: Challenges,
        sessions: Sessions,
        notices: Notices,
        messages: Messages,
        texts: Texts,
        events: Events,
        *,
        host: str,
    ) -> None:
        self._db = db
        self._vault = vault
        self._firms = firms
        self._customers = customers
        self._challenges = challenges
        self._sessions = sessions
        self._notices = notices
        self._messages = messages
        self._texts = texts
        self._events = events
        self._host = host

    async def create(self, firm_id: str, actor: Actor, case_id: str, customer_id: str, once: Once) -> CreatedAuthentication:
        """Let a customer log in, and send them the link. Raise NotFound, CaseClosed or AuthenticationExists."""
        async with self._db.transaction(firm_id) as tx:
            if answer := await once.claim(tx, firm_id, CreatedAuthentication):
                return answer
            case = await case_store.find_case(tx, firm_id, case_id, lock=True)
            customer = await case_store.find_customer_row(tx, firm_id, customer_id)
            if case is None or customer is None or customer["case_id"] != case_id:
                raise NotFound
            if case.state != "open":
                raise CaseClosed
            auth_id = await self.allow(tx, firm_id, actor, case_id, customer_id)
            if auth_id is None:
                held = await store.find_authentication_of(tx, firm_id, customer_id)
                raise AuthenticationExists(f"The customer already has a customer authentication: {held.id if held else ''}")
            await self._notices.ask(tx, firm_id, [customer_id], client=actor.name)
            created = CreatedAuthentication(auth_id)
            await once.keep(tx, firm_id, created)
            return created

    async def allow(self, tx: Tx, firm_id: str, actor: Actor, case_id: str, customer_id: str) -> str | None:
        """Let a customer log in, in the caller's transaction; None when they may already."""
        auth_id = new_id("cau")
        if not await store.add_authentication(tx, firm_id, auth_id, case_id, customer_id):
            return None
        row = await case_store.find_customer_row(tx, firm_id, customer_id)
        if row is None:
            raise NotFound
        await store.add_identity(tx, firm_id, customer_id, row["identity_hash"])
        await audit.record(tx, firm_id, actor.name, AuditTag.AUTHENTICATION_CREATED, auth_id, {"customer": customer_id})
        return auth_id

    async def get(self, firm_id: str, auth_id: str) -> AuthenticationOut:
        """Return an authentication. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.find_authentication(tx, firm_id, auth_id)
        if found is None:
            raise NotFound
        return shape(found)

    async def list_authentications(self, firm_id: str, page: Page) -> list[AuthenticationOut]:
        """Return one more authentication than the page holds, newest first. Raise UnknownCursor."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.list_authentications(tx, firm_id, page)
            if page.after and not found and await store.find_authentication(tx, firm_id, page.after) is None:
                raise UnknownCursor
        return [shape(one) for one in found]

    async def revoke(self, firm_id: str, actor: Actor, auth_id: str) -> AuthenticationOut:
        """Let a customer log in no more, and end their sessions. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            found = await store.find_authentication(tx, firm_id, auth_id)
            if found is None:
                raise NotFound
            if await AUTHENTICATION.move(tx, firm_id, auth_id, AuthenticationEvent.REVOKE):
                row = await case_store.find_customer_row(tx, firm_id, found.customer_id)
                if row is not None:
                    await store.remove_identity(tx, firm_id, found.customer_id, row["identity_hash"])
                await self._sessions.end_all_of(tx, firm_id, found.customer_id)
                await audit.record(tx, firm_id, actor.name, AuditTag.AUTHENTICATION_REVOKED, auth_id)
        return await self.get(firm_id, auth_id)

    async def begin(self, browser: str, email: str, date_of_birth: str, address: str | None) -> bool:
        """Take an e-mail and date of birth from a browser; False only when its address asks too often. Raise TooManyMessages.

        The same rows are written whoever it is. The newest code of a browser wins: older challenges are closed.
        """
        browser_hash = self._browser_hash(browser)
        subject = identity_hash(self._vault, email, date_of_birth)
        async with self._db.transaction(store.PORTAL) as tx:
            if address and not await self._may_ask(tx, address):
                return False
            older = await store.newest_login(tx, browser_hash, lock=True)
            await self._ask_for_code(tx, browser_hash, subject, older["challenge_id"] if older else None)
        return True

    async def resend(self, browser: str, address: str | None) -> bool:
        """Send a browser's code again as a new one; False when it is too soon, too often, or there is no login.

        Raise TooManyMessages.
        """
        browser_hash = self._browser_hash(browser)
        async with self._db.transaction(store.PORTAL) as tx:
            login = await store.newest_login(tx, browser_hash, lock=True)
            if login is None or login["age_seconds"] < RESEND_AFTER_SECONDS:
                return False
            if address and not await self._may_ask(tx, address):
                return False
            await self._ask_for_code(tx, browser_hash, login["identity_hash"], login["challenge_id"])
        return True

    async def waiting(self, browser: str) -> Waiting:
        """Return what the code page shows."""
        async with self._db.transaction(store.PORTAL) as tx:
            login = await store.newest_login(tx, self._browser_hash(browser))
            if login is None:
                return Waiting(0, 0, is_open=False)
            locked = await self._challenges.locked_seconds(tx, store.PORTAL, login["identity_hash"])
        return Waiting(max(0, round(RESEND_AFTER_SECONDS - login["age_seconds"])), locked, is_open=True)

    async def enter(self, browser: str, typed: str) -> Welcome | Wrong | Shut:
        """Answer a browser's challenge. A right code opens a session over the records whose phone received it."""
        browser_hash = self._browser_hash(browser)
        async with self._db.transaction(store.PORTAL) as tx:
            login = await store.newest_login(tx, browser_hash)
        if login is None:
            return Wrong(0)
        answer = await self._challenges.answer(store.PORTAL, login["challenge_id"], typed)
        if isinstance(answer, Right):
            return await self._open_session(browser_hash, login["challenge_id"], answer)
        if isinstance(answer, Shut) and answer.just_now:
            await self._lock(login["identity_hash"])
        return answer

    async def dispatch(self) -> int:
        """Look up who asked for codes and send them; return how many logins were handled."""
        async with self._db.transaction() as tx:
            rows = await store.claim_dispatch(tx, 20)
            for row in rows:
                await self._send_codes(tx, row["browser_hash"], row["identity_hash"], row["challenge_id"])
        return len(rows)

    async def _may_ask(self, tx: Tx, address: str) -> bool:
        """Count one wish for a code against its network address, whoever it is for and whether or not a message comes of it.

        Raise TooManyMessages when the address has asked for as many messages as it may.
        """
        if not await limits.take(tx, _PER_ADDRESS, self._vault.hash("address", address)):
            return False
        if limited := await self._messages.take_address(address, MessagePurpose.LOGIN_CODE):
            raise refusal_of(limited)
        return True

    async def _ask_for_code(self, tx: Tx, browser_hash: bytes, subject: bytes, older: str | None) -> None:
        """Close the older challenge and open a new one, which a job gives its codes."""
        if older:
            await self._challenges.supersede(tx, store.PORTAL, older)
            await store.end_login(tx, browser_hash, older)
        challenge_id = await self._challenges.begin_login(tx, store.PORTAL, subject)
        await store.add_hosted_login(tx, browser_hash, subject, challenge_id)
        await tx.execute(NOTIFY)

    async def _send_codes(self, tx: Tx, browser_hash: bytes, subject: bytes, challenge_id: str) -> None:
        """Send one code to each phone behind an identity; nobody behind it: nothing is sent and the challenge stays a decoy."""
        if await self._challenges.locked_seconds(tx, store.PORTAL, subject):
            return
        if not await limits.take(tx, _PER_IDENTITY, subject):
            return
        groups = await self._phones_behind(tx, subject)
        if not groups:
            return
        codes = await self._challenges.give_codes(tx, store.PORTAL, challenge_id, len(groups))
        valid_until = (await now_of(tx)).astimezone(UTC) + _CODE_LIFE
        for target, ((phone, records), code) in enumerate(zip(groups, codes, strict=False)):
            firm_id = records[0][0]
            firm = await self._firms.load(tx, firm_id)
            values = {"code": code, "firm": firm.settings.logo_text or firm.name, "host": self._host}
            text = await self._texts.write(tx, firm_id, Template.LOGIN_CODE, values)
            await self._messages.queue(
                tx,
                firm_id,
                to=phone,
                text=text,
                purpose=MessagePurpose.LOGIN_CODE,
                sender=firm.settings.sender_name,
                valid_until=valid_until,
                key=_message_key(challenge_id, target),
            )
        await store.set_covers(tx, browser_hash, challenge_id, [[list(record) for record in records] for _, records in groups])

    async def _phones_behind(self, tx: Tx, subject: bytes) -> list[tuple[str, list[LoginRecord]]]:
        """Return the phones of everybody behind an identity, each with the records that hold it, in order of the numbers."""
        now = await now_of(tx)
        groups: dict[str, list[LoginRecord]] = {}
        for firm_id, customer_id in await store.customers_behind(tx, subject):
            customer = await self._customers.load(tx, firm_id, customer_id)
            waits = customer.phone_usable_from is not None and customer.phone_usable_from > now
            if not waits:
                groups.setdefault(customer.personal.phone, []).append((firm_id, customer.case_id, customer_id))
        widest = sorted(groups.items(), key=lambda item: -len(item[1]))[:_MAX_PHONES]
        return sorted(widest)

    async def _open_session(self, browser_hash: bytes, challenge_id: str, right: Right) -> Welcome | Wrong:
        """Accept the code, open the session and note the login, all in one transaction."""
        async with self._db.transaction(store.PORTAL) as tx:
            target = await self._challenges.accept(tx, right)
            login = await store.newest_login(tx, browser_hash, lock=True)
            if target is None or login is None or login["challenge_id"] != challenge_id:
                return Wrong(0)
            records = store.covers_of(login)[target]
            await act_for(tx, records[0][0])  # whose message it was
            await self._messages.note_used(tx, records[0][0], _message_key(challenge_id, target))
            await act_for(tx, store.PORTAL)
            session = await self._sessions.open(
                tx, SessionKind.CODE, [Record(firm_id, customer_id, case_id) for firm_id, case_id, customer_id in records]
            )
            await store.end_login(tx, browser_hash, challenge_id)
            for firm_id, _, customer_id in records:
                await self.note_login(tx, firm_id, customer_id)
        return Welcome(session, tuple(records))

    async def note_login(self, tx: Tx, firm_id: str, customer_id: str) -> None:
        """Note that a customer has logged in; the first time the firm is told."""
        await act_for(tx, firm_id)
        held = await store.find_authentication_of(tx, firm_id, customer_id)
        if held is not None:
            await AUTHENTICATION.move(tx, firm_id, held.id, AuthenticationEvent.LOGGED_IN, times=["verified_at"])
        await audit.record(tx, firm_id, f"customer:{customer_id}", AuditTag.LOGGED_IN, customer_id)
        if await case_store.mark_opened(tx, firm_id, customer_id):
            await self._events.publish(tx, firm_id, EventType.CUSTOMER_OPENED, customer_id, {"id": customer_id})

    async def _lock(self, subject: bytes) -> None:
        """Tell every firm whose customer this is that the login is locked; nobody behind it: nothing to tell."""
        async with self._db.transaction() as tx:
            for firm_id, customer_id in await store.customers_behind(tx, subject):
                await act_for(tx, firm_id)
                held = await store.find_authentication_of(tx, firm_id, customer_id)
                if held and await AUTHENTICATION.move(tx, firm_id, held.id, AuthenticationEvent.LOCK):
                    await audit.record(tx, firm_id, "system", AuditTag.LOCKED, held.id)
                    data = {"id": held.id, "caseId": held.case_id, "customerId": customer_id, "status": "locked"}
                    await self._events.publish(tx, firm_id, EventType.CUSTOMER_AUTHENTICATION_LOCKED, held.id, data)

    def _browser_hash(self, browser: str) -> bytes:
        return self._vault.hash("login browser", browser)


def _message_key(challenge_id: str, target: int) -> str:
    """Return what the message with one of a challenge's codes is known by."""
    return f"{challenge_id} {target}"


def shape(held: Authentication) -> AuthenticationOut:
    """Shape an authentication for the API."""
    return AuthenticationOut(
        id=held.id,
        case_id=held.case_id,
        customer_id=held.customer_id,
        status=str(held.state),
        invited_at=print_time(held.invited_at),
        verified_at=print_time(held.verified_at),
        created_at=print_known_time(held.created_at),
    )
