"""Twilio's Programmable Messaging by HTTP: Messages.json, and its status callbacks with their signature.

Twilio knows no id of ours, so a message whose answer was lost cannot be looked up: it stays in doubt and is never sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated

import httpx
import msgspec
from msgspec import Meta

from strongroom.kit.crypto import same
from strongroom.notify.gateways.calls import call, open_client, refuse_failures
from strongroom.notify.gsm import encoding_of, segments_of
from strongroom.notify.port import NotGenuine, Outgoing, Receipt, Refused, Report, ReportCall, Sent, Silent, Unavailable

_VALIDITY_MAX_SECONDS = 36_000
_OF_THE_MESSAGE = {  # Twilio's error codes that say the message can never be carried; https://www.twilio.com/docs/api/errors
    21211: "bad_number", 21214: "bad_number", 21217: "bad_number", 21610: "recipient_opted_out", 21612: "no_route",
    21614: "not_a_mobile", 21617: "too_long", 21602: "no_text", 21408: "country_not_allowed",
}  # fmt: skip
_STATUSES = {"delivered": Receipt.DELIVERED, "undelivered": Receipt.FAILED, "failed": Receipt.FAILED}
_BAD_REQUEST = 400


class TwilioConfig(msgspec.Struct, tag_field="kind", tag="twilio", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the operator describes an account at Twilio. Give one of `sender` and `messaging_service_sid`."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,29}\Z")]
    account_sid: Annotated[str, Meta(pattern=r"^AC[0-9a-f]{32}\Z")]
    auth_token: Annotated[str, Meta(min_length=1)]
    sender: str = ""
    messaging_service_sid: Annotated[str, Meta(pattern=r"^(MG[0-9a-fA-F]{32})?\Z")] = ""
    firms_own_names: bool = False  # the sender a firm asked for, where the country allows names
    prefixes: tuple[str, ...] = ()
    url: str = "https://api.twilio.com"

    def __repr__(self) -> str:
        return f"TwilioConfig({self.name!r})"


class _Answer(msgspec.Struct, frozen=True):
    sid: str
    num_segments: str | int | None = None


class _Problem(msgspec.Struct, frozen=True):
    code: int | None = None


class TwilioGateway:
    """Sends by Twilio, and reads what Twilio reports."""

    def __init__(self, config: TwilioConfig, report_url: str) -> None:
        """Take the account and the public address that Twilio shall report to."""
        self.name = config.name
        self._config = config
        self._report_url = report_url
        self._client = open_client(httpx.BasicAuth(config.account_sid, config.auth_token))

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message over. Raise Refused, Unavailable or Silent."""
        request = self._client.build_request(
            "POST",
            f"{self._config.url}/2010-04-01/Accounts/{self._config.account_sid}/Messages.json",
            data=self._form(message),
        )
        answer = await call(self._client, request)
        if answer.status_code == _BAD_REQUEST:
            raise _judge(answer)
        refuse_failures(answer)
        try:
            taken = msgspec.json.decode(answer.content, type=_Answer)
        except msgspec.DecodeError as error:
            raise Silent("gateway_unclear") from error
        segments = int(taken.num_segments or 0) or segments_of(message.text)  # a messaging service says 0 at first
        return Sent(taken.sid, segments, encoding_of(message.text))

    def read_report(self, report: ReportCall) -> Report | None:
        """Return what a status callback says; None for a step on the way. Raise NotGenuine unless Twilio signed it."""
        signed = self._report_url + "".join(name + value for name, value in sorted(report.form))
        expected = base64.b64encode(hmac.digest(self._config.auth_token.encode(), signed.encode(), hashlib.sha1))
        if not same(expected, report.headers.get("x-twilio-signature", "").encode()):
            raise NotGenuine
        form = dict(report.form)
        receipt = _STATUSES.get(form.get("MessageStatus", ""))
        return Report(form["MessageSid"], receipt) if receipt and form.get("MessageSid") else None

    def _form(self, message: Outgoing) -> dict[str, str]:
        form = {
            "To": f"+{message.to}",
            "Body": message.text,
            "ValidityPeriod": str(min(message.valid_seconds, _VALIDITY_MAX_SECONDS)),
            "StatusCallback": self._report_url,
        }
        if message.no_log:
            form["ContentRetention"] = "discard"
        if message.sender and self._config.firms_own_names:
            return form | {"From": message.sender}
        if self._config.messaging_service_sid:
            return form | {"MessagingServiceSid": self._config.messaging_service_sid}
        return form | {"From": self._config.sender}


def _judge(answer: httpx.Response) -> Refused | Unavailable:
    """Return what 400 means: only what is said of the message itself is final; all else is between Twilio and us."""
    try:
        code = msgspec.json.decode(answer.content, type=_Problem).code
    except msgspec.DecodeError:
        code = None
    failure = _OF_THE_MESSAGE.get(code or 0)
    return Refused(failure) if failure else Unavailable(f"gateway_refuses_us_{code or 'unsaid'}")


def faults(config: TwilioConfig) -> Sequence[str]:
    """Return what is wrong with a description."""
    one = bool(config.sender) != bool(config.messaging_service_sid)
    return () if one else (f"{config.name}: give one of sender and messaging_service_sid",)
