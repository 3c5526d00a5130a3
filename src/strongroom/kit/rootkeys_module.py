"""Root keys in a hardware module, by PKCS#11: they wrap and unwrap in there, and their bytes never leave it.

Imported only where a module is set: python-pkcs11 is an extra. In the module: AES-256 keys labelled `strongroom-root-1`, `-2` …
(the highest is active) and one HMAC key labelled `strongroom-index`, all sensitive and not extractable. A purpose's index key is
HKDF's second step, done by the module (RFC 5869 §2.3), so that keys moved in from a file give the same hashes as before.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
import structlog
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.hmac import HMAC
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11.exceptions import (
    EncryptedDataInvalid,
    FunctionFailed,
    GeneralError,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
)
from pkcs11.mechanisms import GCMParams

from strongroom.kit.crypto import KEY_BYTES, SealBroken, Secret, fingerprint
from strongroom.kit.errors import Unavailable
from strongroom.kit.rootkeys import HeldKeys, RootKeysError

T = TypeVar("T")
_TAG_BITS = 128
_HASH_BYTES = 64
_ZEROS = bytes(_HASH_BYTES)
_PIN_REFUSED = (PinIncorrect, PinInvalid, PinLenRange, PinExpired, PinLocked)
_log = structlog.get_logger("keys")


class ModuleUnavailable(Unavailable):
    """The hardware module does not answer; nothing that it must open can be opened."""

    code, title = "keys_unavailable", "The module that keeps the root keys does not answer just now"

    def __init__(self, reason: str = "") -> None:
        """Take the reason for operators; callers are told nothing of the module."""
        super().__init__()
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ModuleKey:
    """One root key in the module."""

    version: int
    label: str
    line: Line

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Encrypt in the module. Raise ModuleUnavailable."""
        return self.line.use(lambda session: bytes(self._find(session).encrypt(data, **_gcm(nonce, associated))))

    def decrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
        """Decrypt in the module. Raise SealBroken or ModuleUnavailable."""

        def work(session: Session) -> bytes:
            key = self._find(session)
            try:
                return bytes(key.decrypt(data, **_gcm(nonce, associated)))
            except (EncryptedDataInvalid, GeneralError, FunctionFailed):  # modules differ in what they call a wrong tag
                raise SealBroken from None

        return self.line.use(work)

    def fingerprint(self) -> str:
        """Return a name for the key, from what it makes of zeros."""
        return fingerprint(self.line.use(lambda session: self._find(session).encrypt(bytes(16), mechanism=Mechanism.AES_ECB)))

    def _find(self, session: Session) -> Any:
        return session.get_key(object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, label=self.label)


@dataclass(frozen=True, slots=True)
class ModuleKeys:
    """The root keys of a module, as they were when looked at."""

    keys: Mapping[int, ModuleKey]
    line: Line
    index_label: str

    @property
    def active(self) -> ModuleKey:
        """Return the key that wraps."""
        return self.keys[max(self.keys)]

    def index_key(self, purpose: str) -> bytes:
        """Return the key of one blind index or one kind of keyed hash. Raise ModuleUnavailable."""

        def work(session: Session) -> bytes:
            key: Any = session.get_key(object_class=ObjectClass.SECRET_KEY, label=self.index_label)
            return bytes(key.sign(purpose.encode() + b"\x01", mechanism=Mechanism.SHA512_HMAC))[:KEY_BYTES]

        return self.line.use(work)


class ModuleKeeper:
    """Keeps root keys in one token of a module."""

    def __init__(self, line: Line, prefix: str) -> None:
        self._line = line
        self._index = f"{prefix}-index"
        self._root = f"{prefix}-root-"

    def load(self) -> ModuleKeys:
        """Return the keys as they are now. Raise RootKeysError."""
        try:
            versions, has_index = self._line.use(self._look)
        except ModuleUnavailable as error:
            raise RootKeysError(f"the hardware module cannot be used: {error.reason}") from error
        if not versions or not has_index:
            raise RootKeysError("the hardware module has no root keys of ours: `strongroom keys init` makes them")
        keys = {version: ModuleKey(version, f"{self._root}{version}", self._line) for version in versions}
        return ModuleKeys(keys, self._line, self._index)

    def create(self, held: HeldKeys | None = None) -> bool:
        """Make the keys, or move those of a file in; False when there are keys already, which are left alone."""

        def work(session: Session) -> bool:
            versions, has_index = self._look(session)
            if versions or has_index:
                return False
            if held is None:
                _generate(session, KeyType.GENERIC_SECRET, 8 * _HASH_BYTES, self._index)
                _generate(session, KeyType.AES, 8 * KEY_BYTES, f"{self._root}1")
                return True
            first = HMAC(_ZEROS, SHA512())  # HKDF's first step, which a module cannot do over a key
            first.update(held.index)
            _bring(session, KeyType.GENERIC_SECRET, first.finalize(), self._index)
            for version, key in held.keys.items():
                _bring(session, KeyType.AES, key.material, f"{self._root}{version}")
            return True

        return self._line.use(work, writes=True)

    def rotate(self) -> int:
        """Make a new active root key and return its version. Old ones stay until every value has been wrapped anew."""

        def work(session: Session) -> int:
            version = max(self._look(session)[0], default=0) + 1
            _generate(session, KeyType.AES, 8 * KEY_BYTES, f"{self._root}{version}")
            return version

        return self._line.use(work, writes=True)

    def retire(self, versions: set[int]) -> None:
        """Destroy root keys that nothing needs any more; the active one always stays."""

        def work(session: Session) -> None:
            for version in versions - {max(self._look(session)[0], default=0)}:
                session.get_key(object_class=ObjectClass.SECRET_KEY, label=f"{self._root}{version}").destroy()

        self._line.use(work, writes=True)

    def _look(self, session: Session) -> tuple[set[int], bool]:
        labels = [str(key[Attribute.LABEL]) for key in session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})]
        ours = re.compile(rf"{re.escape(self._root)}([1-9]\d{{0,8}})")
        return {int(found[1]) for label in labels if (found := ours.fullmatch(label))}, self._index in labels


class Line:
    """One session with a token, opened when first needed and anew when it breaks."""

    def __init__(self, module: Path, token: str, pin: Secret) -> None:
        self._module = module
        self._token = token
        self._pin = pin
        self._session: Session | None = None
        self._refused: ModuleUnavailable | None = None  # the PIN was: tried again and again, a wrong one locks the token
        self._lock = threading.Lock()  # a session does one thing at a time

    def use(self, work: Callable[[Session], T], *, writes: bool = False) -> T:
        """Do something with the session: once more with a new one when it broke, and once with the library begun anew.

        Raise ModuleUnavailable, or what `work` raises. A PIN that was refused once is not tried again in the life of the process.
        """
        with self._lock:
            if self._refused is not None:
                raise ModuleUnavailable(self._refused.reason)
            for mend in (self._close, self._begin_anew):
                try:
                    return self._try(work, writes=writes)
                except _PIN_REFUSED as error:
                    self._refused = self._unavailable(error)
                    raise self._refused from error
                except PKCS11Error:
                    mend()
            try:
                return self._try(work, writes=writes)
            except PKCS11Error as error:
                self._close()
                raise self._unavailable(error) from error

    def _try(self, work: Callable[[Session], T], *, writes: bool) -> T:
        if self._session is None:
            self._session = self._open(rw=False)
        if not writes:
            return work(self._session)
        writing = self._open(rw=True)
        try:
            return work(writing)
        finally:
            writing.close()

    def _open(self, *, rw: bool) -> Session:
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
        try:
            return token.open(rw=rw, user_pin=self._pin.reveal())
        except UserAlreadyLoggedIn:  # whoever logs in does so for all sessions of the process
            return token.open(rw=rw)

    def _begin_anew(self) -> None:
        """Begin the library anew: what it holds of a token that went away does not come back with the token."""
        self._close()
        with contextlib.suppress(PKCS11Error):
            pkcs11.lib(str(self._module)).reinitialize()

    def _unavailable(self, error: PKCS11Error) -> ModuleUnavailable:
        reason = f"{type(error).__name__} of the token {self._token}"
        _log.error("the hardware module does not answer", reason=reason)
        return ModuleUnavailable(reason)

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error:  # it has broken: there is nothing to close
                return


def open_module(module: Path, token: str, pin: Secret, prefix: str) -> ModuleKeeper:
    """Return the keeper of one token's keys; nothing is opened yet."""
    return ModuleKeeper(_line(module, token, pin), prefix)


@cache
def _line(module: Path, token: str, pin: Secret) -> Line:
    """Return the process's one line to a token."""
    return Line(module, token, pin)


def _gcm(nonce: bytes, associated: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, associated, _TAG_BITS)}


def _generate(session: Session, kind: Any, bits: int, label: str) -> None:
    session.generate_key(kind, bits, label=label, store=True, capabilities=_may(kind), template=_hidden())


def _bring(session: Session, kind: Any, value: bytes, label: str) -> None:
    able = {Attribute.ENCRYPT: True, Attribute.DECRYPT: True} if kind is KeyType.AES else {Attribute.SIGN: True}
    common = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: kind, Attribute.TOKEN: True, Attribute.PRIVATE: True}
    session.create_object({**common, **_hidden(), **able, Attribute.LABEL: label, Attribute.VALUE: value})


def _may(kind: Any) -> Any:
    return MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT if kind is KeyType.AES else MechanismFlag.SIGN


def _hidden() -> dict[Any, bool]:
    return {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
