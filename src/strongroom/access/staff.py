"""Use cases over staff: people of a firm who prove who they are by password and TOTP (RFC 6238), for what two people must do."""

from __future__ import annotations

import re
import secrets
from datetime import datetime

import pyotp

from strongroom.access.errors import StaffExists, StaffRefused
from strongroom.access.model import AuditTag, NewStaff, StaffMember
from strongroom.access.passwords import Passwords, refuse_unsuitable
from strongroom.access.states import STAFF, StaffEvent, StaffState
from strongroom.access.store import staff as store
from strongroom.kit import audit
from strongroom.kit.crypto import Secret, same
from strongroom.kit.db import Database
from strongroom.kit.errors import Invalid, NotFound
from strongroom.kit.ids import new_id
from strongroom.kit.vault import TenantKeys, Vault

ATTEMPTS = 5
LOCK_SECONDS = 15 * 60
LONGEST_LOCK_SECONDS = 24 * 3600
_STEP_SECONDS = 30
_SEED_CHARACTERS = 32  # of base32: 160 bits, as RFC 4226 §4 recommends
_TABLE = "staff_members"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")
_CODE = re.compile(r"[0-9]{6}")


class Staff:
    """Use cases over staff."""

    def __init__(self, db: Database, vault: Vault, passwords: Passwords | None = None) -> None:
        self._db = db
        self._vault = vault
        self._passwords = passwords or Passwords()

    async def create(self, actor: str, firm_id: str, name: str, email: str, password: Secret) -> NewStaff:
        """Add a person. Raise StaffExists, UnsuitablePassword or Invalid."""
        if not _EMAIL.fullmatch(email) or not name.strip():
            raise Invalid("A person has a name and an e-mail address")
        refuse_unsuitable(password, email)
        password_hash = await self._passwords.hash(password)
        staff_id, seed = new_id("stf"), pyotp.random_base32(_SEED_CHARACTERS)
        async with self._db.transaction(firm_id) as tx:
            keys = await self._vault.tenant(tx, firm_id)
            added = await store.add(
                tx,
                firm_id,
                staff_id,
                self._email_hash(firm_id, email),
                keys.seal_text(_TABLE, "email_sealed", staff_id, email),
                keys.seal_text(_TABLE, "name_sealed", staff_id, name),
                password_hash,
                keys.seal_text(_TABLE, "totp_seed_sealed", staff_id, seed),
            )
            if not added:
                raise StaffExists
            await audit.record(tx, firm_id, actor, AuditTag.STAFF_CREATED, staff_id)
        return NewStaff(staff_id, Secret(pyotp.TOTP(seed).provisioning_uri(name=email, issuer_name="Strongroom")))

    async def authenticate(self, firm_id: str, email: str, password: Secret, code: Secret) -> StaffMember:
        """Return the person that password and code prove. Raise StaffRefused, whatever was wrong.

        The attempt is charged and committed before anything is compared, so a crash or a race forgives none; five attempts
        lock for 15 minutes, and each further lock is twice as long, up to a day. A code's step is accepted once.
        """
        charged, keys = await self._charge(firm_id, email)
        right = await self._passwords.check(charged.password_hash if charged else None, password)
        if charged is None or not right:
            raise StaffRefused
        seed = keys.unseal_text(_TABLE, "totp_seed_sealed", charged.row.id, charged.totp_seed_sealed)
        step = matching_step(seed, code, charged.now)
        if step is None:
            raise StaffRefused
        async with self._db.transaction(firm_id) as tx:
            if not await store.accept_step(tx, firm_id, charged.row.id, step, charged.charge):
                raise StaffRefused
            await audit.record(tx, firm_id, f"staff:{charged.row.id}", AuditTag.STAFF_AUTHENTICATED, charged.row.id)
        return _member(firm_id, keys, charged.row)

    async def list_all(self, firm_id: str) -> list[tuple[StaffMember, StaffState]]:
        """Return a firm's staff with their states, oldest first."""
        async with self._db.transaction(firm_id) as tx:
            keys = await self._vault.tenant(tx, firm_id)
            return [(_member(firm_id, keys, row), StaffState(state)) for row, state in await store.find_all(tx, firm_id)]

    async def disable(self, actor: str, firm_id: str, staff_id: str) -> None:
        """End a person's membership for good. Raise NotFound."""
        async with self._db.transaction(firm_id) as tx:
            if not await STAFF.move(tx, firm_id, staff_id, StaffEvent.DISABLED):
                raise NotFound
            await audit.record(tx, firm_id, actor, AuditTag.STAFF_DISABLED, staff_id)

    async def _charge(self, firm_id: str, email: str) -> tuple[store.Charged | None, TenantKeys]:
        async with self._db.transaction(firm_id) as tx:
            keys = await self._vault.tenant(tx, firm_id)
            charged = await store.charge(
                tx,
                firm_id,
                self._email_hash(firm_id, email),
                at_most=ATTEMPTS,
                lock_seconds=LOCK_SECONDS,
                longest_lock_seconds=LONGEST_LOCK_SECONDS,
            )
            if charged and charged.locked_now:
                await audit.record(tx, firm_id, f"staff:{charged.row.id}", AuditTag.STAFF_LOCKED, charged.row.id)
        return charged, keys

    def _email_hash(self, firm_id: str, email: str) -> bytes:
        return self._vault.hash("staff email", firm_id, email.strip().casefold())


def matching_step(seed: str, code: Secret, now: datetime) -> int | None:
    """Return the time step that a code belongs to: the present one, or one beside it for drifting clocks (RFC 6238 §5.2)."""
    digits = "".join(code.reveal().split())
    if not _CODE.fullmatch(digits):
        digits = f"{secrets.randbelow(10**6):06d}x"  # compared all the same, and always wrong
    present = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(seed)
    found = [step for step in (present - 1, present, present + 1) if same(totp.generate_otp(step).encode(), digits.encode())]
    return found[-1] if found else None


def _member(firm_id: str, keys: TenantKeys, row: store.StaffRow) -> StaffMember:
    return StaffMember(
        firm_id,
        row.id,
        keys.unseal_text(_TABLE, "name_sealed", row.id, row.name_sealed),
        keys.unseal_text(_TABLE, "email_sealed", row.id, row.email_sealed),
        row.created_at,
    )
