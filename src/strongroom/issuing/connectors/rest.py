"""The issuer's service over REST: addresses, headers and which body is written; shapes are in `rest_payloads`."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.access.issuer_model import RemoteProtocol
from strongroom.issuing.connectors import answers
from strongroom.issuing.connectors import rest_payloads as payloads
from strongroom.issuing.connectors.answers import Unreadable
from strongroom.issuing.model import Deadline, Policy
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, Verdict
from strongroom.issuing.transport import OK, Answer, Transport
from strongroom.kit.crypto import Secret

_XML = {"Content-Type": "application/xml; charset=utf-8", "Accept": "application/xml, text/xml"}
_JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json, text/json"}


class RestConnector:
    """Speaks to one issuer by REST, in XML or JSON as its policy says."""

    def __init__(self, transport: Transport, policy: Policy) -> None:
        self._transport = transport
        self._policy = policy
        self._is_json = policy.protocol is RemoteProtocol.REST_JSON

    async def close(self) -> None:
        """Do nothing: connections are the transport's."""

    async def validate_card(self, pan: Secret, deadline: Deadline) -> CardPrompt | CardRefused:
        """Ask whether the card has a token. Raise IssuerUnavailable or IssuerSilent."""
        members = await self._ask("validatecard", {"CardPan": pan.reveal()}, deadline)
        return answers.card_answer(members)

    async def authenticate_otp(self, user_id: Secret, otp: Secret, deadline: Deadline) -> Verdict:
        """Have a code judged. Raise IssuerUnavailable or IssuerSilent."""
        members = await self._ask("authenticateotp", {"UserId": user_id.reveal(), "Otp": otp.reveal()}, deadline)
        return answers.verdict(members)

    async def _ask(self, operation: str, question: Mapping[str, str], deadline: Deadline) -> dict[str, str]:
        """Send one question and return the members of its answer, which has a code."""
        body = payloads.write_json(question) if self._is_json else payloads.write_xml("RequestDetails", question)
        answer = await self._transport.post(
            f"{self._policy.url.rstrip('/')}/{operation}/",
            body,
            _JSON if self._is_json else _XML,
            pinned=self._policy.pinned,
            deadline=deadline,
        )
        try:
            members = _read(answer)
            code = answers.verdict(members).code
        except Unreadable:
            raise answers.without_code(answer.status) from None
        if answer.status != OK and code is IssuerCode.SUCCESSFUL:
            raise answers.without_code(answer.status)  # a success says so in its status too
        return members


def _read(answer: Answer) -> dict[str, str]:
    """Read an answer by what it says it is, else by how it begins."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind.endswith("json") or ("xml" not in kind and answer.body.lstrip()[:1] == b"{")
    return payloads.read_json(answer.body) if is_json else payloads.read_xml(answer.body)
