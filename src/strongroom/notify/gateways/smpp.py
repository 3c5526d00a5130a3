"""SMPP 3.4 by aiosmpplib: one bind that stays, is renewed when it breaks, and carries messages out and receipts back.

The library's own memory of messages is not used: it would keep texts and numbers for days. What waits for an answer is held
here, and a receipt names its message by the centre's id, as every other gateway's report does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import structlog
from aiosmpplib import (
    ESME,
    NPI,
    TON,
    AbstractBroker,
    AbstractCorrelator,
    AbstractHook,
    AbstractThrottleHandler,
    DeliverSm,
    GenericNack,
    OptionalParam,
    PduHeader,
    PhoneNumber,
    SmppCommand,
    SmppCommandStatus,
    SmppMessage,
    SmppSessionState,
    SubmitSm,
    SubmitSmResp,
)
from aiosmpplib.retrytimer import SimpleExponentialBackoff
from msgspec import Meta

from strongroom.kit.errors import Unavailable as NotKept
from strongroom.notify.gsm import Encoding, encoding_of, segments_of
from strongroom.notify.port import Outgoing, Receipt, Refused, Report, Sent, Silent, Unavailable

_HELD_MAX = 2_000
_RECEIPTED_ID, _MESSAGE_STATE = 0x001E, 0x0427
_ID, _STAT = re.compile(r"\bid:\s*(\S+)", re.IGNORECASE), re.compile(r"\bstat:\s*([A-Za-z]+)", re.IGNORECASE)
_STATUSES = {
    "DELIVRD": Receipt.DELIVERED, "EXPIRED": Receipt.EXPIRED, "UNDELIV": Receipt.FAILED, "DELETED": Receipt.FAILED,
    "REJECTD": Receipt.FAILED,
}  # fmt: skip
_STATES = {2: Receipt.DELIVERED, 3: Receipt.EXPIRED, 4: Receipt.FAILED, 5: Receipt.FAILED, 8: Receipt.FAILED}  # §5.2.28
_S = SmppCommandStatus
_OF_THE_MESSAGE = {_S.ESME_RINVDSTADR, _S.ESME_RINVMSGLEN, _S.ESME_RINVDSTTON, _S.ESME_RINVDSTNPI, _S.ESME_RINVEXPIRY}
_BUSY = {_S.ESME_RTHROTTLED, _S.ESME_RMSGQFUL}
_BUSY_SECONDS = 2
_NONSENSE = (ValueError, LookupError, struct.error)  # what the library's reader of messages raises; only the first it expects
_DOUBLINGS = 5
_ENDS_WITHIN_SECONDS = 1.0
_log = structlog.get_logger("smpp")

ReportTo = Callable[[Report], Awaitable[None]]


class SmppConfig(msgspec.Struct, tag_field="kind", tag="smpp", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the operator describes a message centre. The line is not encrypted: lead it through a tunnel."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,29}\Z")]
    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 2775
    system_id: Annotated[str, Meta(min_length=1, max_length=15)]
    password: Annotated[str, Meta(max_length=8)]
    system_type: Annotated[str, Meta(max_length=12)] = ""
    sender: Annotated[str, Meta(max_length=20)] = ""
    firms_own_names: bool = False
    window: Annotated[int, Meta(ge=1, le=1000)] = 20  # messages that wait for an answer at once
    messages_per_second: Annotated[int, Meta(ge=1, le=10_000)] = 50
    prefixes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SmppConfig({self.name!r})"


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a line waits, for what. Room and answer together stay below what the sender gives a gateway."""

    room: float = 8.0  # for a place in the window
    answer: float = 10.0
    quiet: float = 30.0  # before asking whether the centre is there
    alive: float = 30.0  # for its answer to that
    first_pause: float = 1.0  # before binding again; doubled up to five times


@dataclass(slots=True)
class _Waiter:
    """One message on its way, and whether it has been written to the line."""

    message: SubmitSm = field(repr=False)
    answer: asyncio.Future[SubmitSmResp] = field(repr=False)
    is_written: bool = False


class SmppGateway:
    """Sends over the bind that `run` keeps; without it nothing is taken."""

    def __init__(self, config: SmppConfig, patience: Patience | None = None) -> None:
        self.name = config.name
        self._config = config
        self._patience = patience or Patience()
        self._window = asyncio.Semaphore(config.window)
        self._line = _Line()
        self._esme: _Session | None = None

    async def run(self, report: ReportTo) -> None:
        """Keep the bind, renewing it after 1, 2, 4 … 32 seconds, and hand receipts to `report`, until cancelled."""
        self._line.report = report
        config, patience = self._config, self._patience
        self._esme = _Session(
            config.host, config.port, config.system_id, config.password, config.system_type,
            enquire_link_interval=patience.quiet, socket_timeout=patience.alive, hook=self._line,
            broker=_Queue(self._line, config.messages_per_second),
            correlator=_Sequences(config.system_id), throttle_handler=_NoThrottle(),
            retry_timer=SimpleExponentialBackoff(int(1000 * patience.first_pause), _DOUBLINGS), log_handler=logging.NullHandler(),
        )  # fmt: skip
        line = asyncio.ensure_future(self._esme.start())
        try:
            await asyncio.wait([line])
        finally:
            self._esme = None
            while not line.done():  # the library swallows a cancellation that meets it as an answer comes in or a line breaks
                line.cancel()
                await asyncio.wait([line], timeout=_ENDS_WITHIN_SECONDS)
        line.result()

    async def close(self) -> None:
        """Do nothing: the bind ends with `run`."""

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message over and wait for the centre's answer. Raise Refused, Unavailable or Silent."""
        self._check_bound()
        async with self._room():
            self._check_bound()  # again: the line may have broken while there was no room
            waiter = self._line.put(self._message(message))
            try:
                async with asyncio.timeout(self._patience.answer):
                    answer = await waiter.answer
            except TimeoutError as error:
                raise (Silent if waiter.is_written else Unavailable)("no_answer") from error
            finally:
                self._line.drop(message.id)
        return _judge(answer, message)

    def _check_bound(self) -> None:
        if self._esme is None or self._esme.session_state is not SmppSessionState.BOUND_TRX:
            raise Unavailable("not_bound")

    @contextlib.asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """Hold a place in the window. Raise Unavailable when none is free in time: nothing has been written yet."""
        try:
            async with asyncio.timeout(self._patience.room):
                await self._window.acquire()
        except TimeoutError as error:
            raise Unavailable("gateway_busy", retry_after_seconds=_BUSY_SECONDS) from error
        try:
            yield
        finally:
            self._window.release()

    def _message(self, message: Outgoing) -> SubmitSm:
        encoding = encoding_of(message.text)
        one = segments_of(message.text) == 1
        return SubmitSm(
            short_message=message.text if one else "",
            message_payload="" if one else message.text,  # the centre divides it
            source=_source(message.sender if message.sender and self._config.firms_own_names else self._config.sender),
            destination=PhoneNumber(message.to, TON.INTERNATIONAL, NPI.ISDN),
            validity_period=timedelta(seconds=message.valid_seconds),
            encoding="gsm0338" if encoding is Encoding.GSM7 else "ucs2",
            log_id=message.id,
        )


def _source(sender: str) -> PhoneNumber:
    digits = sender.removeprefix("+")
    if digits.isdigit():
        return PhoneNumber(digits, TON.INTERNATIONAL, NPI.ISDN)
    return PhoneNumber(sender, TON.ALPHANUMERIC) if sender else PhoneNumber("")


def _judge(answer: SubmitSmResp, message: Outgoing) -> Sent:
    """Return what a positive answer says; raise what any other means."""
    status = answer.command_status
    if status is _S.ESME_ROK:
        if not answer.message_id:
            raise Silent("gateway_unclear")
        return Sent(answer.message_id, segments_of(message.text), encoding_of(message.text))
    if status in _BUSY:
        raise Unavailable("gateway_busy", retry_after_seconds=_BUSY_SECONDS)
    if status in _OF_THE_MESSAGE:
        raise Refused(status.name.lower())
    raise Unavailable(status.name.lower())


def read_receipt(message: DeliverSm) -> Report | None:
    """Return what a delivery receipt says, by its parameters or by its text, which every centre writes a little differently."""
    parameters = {one.tag: one.value for one in message.optional_params or () if isinstance(one, OptionalParam)}
    text = message.short_message or message.message_payload
    named, said = _ID.search(text), _STAT.search(text)
    provider_id = str(parameters.get(_RECEIPTED_ID) or (named[1] if named else "")).strip("\0 ")
    state = parameters.get(_MESSAGE_STATE)
    receipt = _STATES.get(state) if isinstance(state, int) else None
    receipt = receipt or _STATUSES.get(said[1].upper() if said else "")
    return Report(provider_id, receipt) if provider_id and receipt else None


class _Line(AbstractHook):
    """What is on its way, and what the library calls."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[_Waiter] = asyncio.Queue()
        self.report: ReportTo | None = None
        self._waiting: dict[str, _Waiter] = {}

    def put(self, message: SubmitSm) -> _Waiter:
        waiter = self._waiting[message.log_id] = _Waiter(message, asyncio.get_running_loop().create_future())
        self.queue.put_nowait(waiter)
        return waiter

    def drop(self, message_id: str) -> None:
        self._waiting.pop(message_id, None)

    def lose(self) -> None:
        """Fail all that still waits: the line that it was for is gone."""
        for waiter in self._waiting.values():
            if not waiter.answer.done():
                waiter.answer.set_exception(_broken(waiter))

    def is_wanted(self, waiter: _Waiter) -> bool:
        return self._waiting.get(waiter.message.log_id) is waiter

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:  # noqa: ARG002  # the library's shape
        """Note that a message goes out now; one that nobody waits for any more is held back."""
        if isinstance(smpp_message, SubmitSm):
            waiter = self._waiting.get(smpp_message.log_id)
            if waiter is None:
                raise ValueError("given up before it was written")  # what the library takes for a message not to be sent
            waiter.is_written = True

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:  # noqa: ARG002  # the library's shape
        """Take an answer, or keep a receipt; it is acknowledged only after that, so the centre repeats what was not kept."""
        if isinstance(smpp_message, SubmitSmResp):
            waiter = self._waiting.get(smpp_message.log_id)
            if waiter and not waiter.answer.done():
                waiter.answer.set_result(smpp_message)
        elif isinstance(smpp_message, DeliverSm) and smpp_message.is_receipt():
            said = read_receipt(smpp_message)
            if said and self.report:
                try:
                    await self.report(said)
                except NotKept as error:
                    raise ConnectionError("a receipt could not be kept") from error  # the line is renewed, and it comes again

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:  # noqa: ARG002  # the library's shape
        """Fail a message that could not be written as it is, or whose line broke."""
        waiter = self._waiting.get(smpp_message.log_id) if isinstance(smpp_message, SubmitSm) else None
        if waiter and not waiter.answer.done():
            waiter.answer.set_exception(Refused("unencodable") if isinstance(error, ValueError) else _broken(waiter))


def _broken(waiter: _Waiter) -> Silent | Unavailable:
    return Silent("line_broke") if waiter.is_written else Unavailable("line_broke")


class _Queue(AbstractBroker):
    """Gives the library what is to be sent, at the rate that was agreed."""

    def __init__(self, line: _Line, per_second: int) -> None:
        self._line = line
        self._pause = 1 / per_second

    async def enqueue(self, message: SmppMessage) -> None:
        """Never called: messages are put on the line."""
        raise NotImplementedError

    async def dequeue(self) -> SmppMessage:
        """Return the next message that somebody still waits for."""
        while not self._line.is_wanted(waiter := await self._line.queue.get()):
            continue
        await asyncio.sleep(self._pause)
        return waiter.message


class _Sequences(AbstractCorrelator):
    """Which request an answer answers, by its number; nothing more is kept, and not for long."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sent: dict[int, SmppMessage] = {}

    async def put(self, smpp_message: SmppMessage) -> None:
        while len(self._sent) >= _HELD_MAX:
            self._sent.pop(next(iter(self._sent)))
        self._sent[smpp_message.sequence_num] = smpp_message

    async def get(self, response: SmppMessage) -> SmppMessage | None:
        return self._sent.pop(response.sequence_num, None)

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None: ...

    async def put_delivery_segmented(self, deliver_sm: DeliverSm) -> DeliverSm | None:
        return deliver_sm

    async def get_segmented(self, smpp_seq_num: int, remove: bool = False) -> tuple[Any, int]:  # noqa: ARG002  # the library's shape
        return None, 0

    async def get_delivery(self, receipt: DeliverSm) -> SubmitSm | None:  # noqa: ARG002  # the library's shape
        return None

    async def expired(self, smpp_message: SmppMessage) -> None: ...

    def get_cumulated_status(self, ref_num: int) -> int:  # noqa: ARG002  # the library's shape
        return 0


class _NoThrottle(AbstractThrottleHandler):
    """Lets everything through: a centre that throttles is left in peace by the sender, which knows of other gateways."""

    async def throttled(self) -> None: ...

    async def not_throttled(self) -> None: ...

    async def allow_request(self) -> bool:
        return True

    async def throttle_delay(self) -> float:
        return 0.0


class _Session(ESME):
    """The library's session, with receipts read by us.

    Its own reader fails on texts that centres really write, and the line with it, whereupon the centre sends the same receipt
    for ever.
    """

    async def connect(self) -> None:
        """Begin a line anew; no answer of the one before will come on it."""
        if isinstance(self.hook, _Line):
            self.hook.lose()
        await super().connect()

    async def _handle_request(self, pdu: bytes, header: PduHeader) -> SmppMessage | None:
        if header.smpp_command is not SmppCommand.DELIVER_SM:
            return await super()._handle_request(pdu, header)
        with contextlib.suppress(*_NONSENSE):
            return DeliverSm.from_pdu(pdu, header, self.default_encoding, self.custom_codecs)
        _log.warning("a message from the centre cannot be read", command=header.smpp_command.name)
        await self._send_data(GenericNack(header.sequence_num))
        return None
