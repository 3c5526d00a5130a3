"""A source of reliable messages that shares nothing with ours: envelopes written by hand, answers read by lxml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from lxml import etree

from tests.conftest import Database
from tests.safetoken.conftest import Bank
from tests.safetoken.signed.by_hand import SERVICES, enrolment
from tests.safetoken.test_enrolment import PATH, new_pan

SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
WSA_2005, WSA_2004 = "http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"
RM_11, RM_10 = "http://docs.oasis-open.org/ws-rx/wsrm/200702", "http://schemas.xmlsoap.org/ws/2005/02/rm"
ADDRESS = "http://pay.example.com/api/v1/safetoken"
LARGEST = 9_223_372_036_854_775_807


@dataclass(frozen=True)
class Dialect:
    """The versions that one stack speaks."""

    name: str
    soap: str
    rm: str
    wsa: str

    @property
    def is_old(self) -> bool:
        return self.rm == RM_10

    @property
    def anonymous(self) -> str:
        return f"{self.wsa}/anonymous" if self.wsa == WSA_2005 else f"{self.wsa}/role/anonymous"

    @property
    def fault_action(self) -> str:
        return f"{self.wsa}/fault" if self.is_old else f"{self.rm}/fault"


OLD = Dialect("1.0, addressing 2004/08", SOAP_11, RM_10, WSA_2004)
MIXED = Dialect("1.0, addressing 2005/08", SOAP_11, RM_10, WSA_2005)
NEW = Dialect("1.1", SOAP_11, RM_11, WSA_2005)
NEW_12 = Dialect("1.1 over SOAP 1.2", SOAP_12, RM_11, WSA_2005)
DIALECTS = (OLD, MIXED, NEW, NEW_12)


@dataclass(frozen=True)
class Told:
    """An answer, as read by lxml."""

    dialect: Dialect
    status: int
    text: str
    root: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, dialect: Dialect, answer: httpx.Response) -> Told:
        root = etree.fromstring(answer.content) if answer.content else None
        if root is not None:
            assert etree.QName(root).namespace == dialect.soap
        return cls(dialect, answer.status_code, answer.text, root)

    def one(self, path: str) -> str | None:
        """Return the one text at a path, where r, a and s are the dialect's namespaces; None when there is none."""
        if self.root is None:
            return None
        names = {"r": self.dialect.rm, "a": self.dialect.wsa, "s": self.dialect.soap}
        found = [one if isinstance(one, str) else one.text or "" for one in self.root.xpath(path, namespaces=names)]
        assert len(found) < 2, self.text
        return found[0].strip() if found else None

    @property
    def action(self) -> str | None:
        return self.one("s:Header/a:Action")

    @property
    def code(self) -> str | None:
        """Return the result's code."""
        found = re.search(r"<ResponseCode [^>]*>(\d+)<", self.text)
        return found[1] if found else None

    @property
    def held(self) -> tuple[str | None, int]:
        """Return what the acknowledgement says: of which sequence, and up to which number all has arrived."""
        lower, upper = (self.one(f"s:Header/r:SequenceAcknowledgement/r:AcknowledgementRange/@{end}") for end in ("Lower", "Upper"))
        assert lower in (None, "1")
        return self.one("s:Header/r:SequenceAcknowledgement/r:Identifier"), int(upper or 0)

    @property
    def place(self) -> tuple[str | None, str | None]:
        """Return the sequence of the answer itself, and its number there."""
        return self.one("s:Header/r:Sequence/r:Identifier"), self.one("s:Header/r:Sequence/r:MessageNumber")

    @property
    def is_final(self) -> bool:
        return self.one("s:Header/r:SequenceAcknowledgement/r:Final") is not None

    @property
    def fault(self) -> str | None:
        """Return the most particular code of a fault, where its version of SOAP puts it."""
        if self.dialect.soap == SOAP_12:
            told = self.one("s:Body/s:Fault/s:Code/s:Subcode/s:Value") or self.one("s:Body/s:Fault/s:Code/s:Value")
        else:
            told = self.one("s:Header/r:SequenceFault/r:FaultCode") or self.one("s:Body/s:Fault/faultcode")
        return told.partition(":")[2] if told else None

    @property
    def reason(self) -> str | None:
        return self.one("s:Body/s:Fault/faultstring") or self.one("s:Body/s:Fault/s:Reason/s:Text")

    @property
    def detail(self) -> str:
        """Return what stands in the fault's detail, where its version puts it."""
        if self.dialect.soap == SOAP_12:
            path = "s:Body/s:Fault/s:Detail/*"
        else:
            path = (
                "s:Header/r:SequenceFault/*[local-name() != 'FaultCode']"
                if self.dialect.is_old
                else "s:Header/r:SequenceFault/r:Detail/*"
            )
        found = self.root.xpath(path, namespaces={"r": self.dialect.rm, "s": self.dialect.soap})
        return " ".join(f"{etree.QName(one).localname}={''.join(one.itertext()).strip()}" for one in found)


@dataclass
class Source:
    """A client's software, with one sequence at a time."""

    bank: Bank
    dialect: Dialect
    headers: Mapping[str, str]
    http: httpx.AsyncClient
    path: str = PATH
    id: str = ""
    answers_id: str = ""

    async def post(self, action: str, blocks: str = "", body: str = "", **more: Any) -> Told:
        """Send a message; `message_id`, `to` and `reply_to` may be given, or None for none."""
        return Told.of(self.dialect, await self.post_text(self.write(action, blocks, body, **more), action))

    async def post_text(self, text: str, action: str) -> httpx.Response:
        quoted = {"content-type": "text/xml", "soapaction": f'"{action}"'}
        if self.dialect.soap == SOAP_12:
            quoted = {"content-type": f'application/soap+xml; action="{action}"'}
        return await self.http.post(self.path, content=text, headers={**self.headers, **quoted})

    def write(
        self,
        action: str,
        blocks: str = "",
        body: str = "",
        *,
        message_id: str | None = "",
        to: str | None = ADDRESS,
        reply_to: str | None = "",
    ) -> str:
        """Return an envelope. An empty `message_id` is a fresh one, an empty `reply_to` anonymous; None leaves the header out."""
        wanted = {"Action": action, "MessageID": f"urn:uuid:{uuid4()}" if message_id == "" else message_id, "To": to}
        addressing = "".join(f"<a:{name}>{text}</a:{name}>" for name, text in wanted.items() if text)
        if reply_to is not None:
            addressing += f"<a:ReplyTo><a:Address>{reply_to or self.dialect.anonymous}</a:Address></a:ReplyTo>"
        return (
            f'<e:Envelope xmlns:e="{self.dialect.soap}" xmlns:a="{self.dialect.wsa}" xmlns:r="{self.dialect.rm}">'
            f"<e:Header>{addressing}{blocks}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        )

    async def create(self, *, offers: bool = True, expires: str | None = None, acks_to: str = "", **more: Any) -> Told:
        """Create a sequence, and keep the identifiers when it is."""
        answers_id = more.pop("answers_id", f"urn:uuid:{uuid4()}")
        endpoint = "" if self.dialect.is_old else f"<r:Endpoint>{self.place(more.pop('endpoint', ''))}</r:Endpoint>"
        offer = f"<r:Offer><r:Identifier>{answers_id}</r:Identifier>{endpoint}</r:Offer>" if offers else ""
        life = f"<r:Expires>{expires}</r:Expires>" if expires else ""
        body = f"<r:CreateSequence><r:AcksTo>{self.place(acks_to)}</r:AcksTo>{life}{offer}</r:CreateSequence>"
        told = await self.post(f"{self.dialect.rm}/CreateSequence", "", body, **more)
        made = told.one("s:Body/r:CreateSequenceResponse/r:Identifier")
        if made:
            self.id, self.answers_id = made, answers_id if offers else ""
        return told

    def place(self, address: str) -> str:
        return f"<a:Address>{address or self.dialect.anonymous}</a:Address>"

    def numbered(self, number: int | str, *, identifier: str = "", last: bool = False) -> str:
        return (
            f'<r:Sequence e:mustUnderstand="1"><r:Identifier>{identifier or self.id}</r:Identifier>'
            f"<r:MessageNumber>{number}</r:MessageNumber>{'<r:LastMessage/>' if last else ''}</r:Sequence>"
        )

    def asks(self, identifier: str = "") -> str:
        return f"<r:AckRequested><r:Identifier>{identifier or self.id}</r:Identifier></r:AckRequested>"

    def has(self, *ranges: tuple[int | str, int | str], identifier: str = "", lacks: str = "") -> str:
        spans = "".join(f'<r:AcknowledgementRange Lower="{lower}" Upper="{upper}"/>' for lower, upper in ranges)
        nack = f"<r:Nack>{lacks}</r:Nack>" if lacks else ""
        named = f"<r:Identifier>{identifier or self.answers_id}</r:Identifier>"
        return f"<r:SequenceAcknowledgement>{named}{spans}{nack}</r:SequenceAcknowledgement>"

    def work(self, reason: int, **changed: str) -> str:
        """Return an operation that leaves a mark each time it takes effect: a registration that failed at the issuer."""
        members = {
            "TerminalId": "3IWPDVNA", "BankId": str(self.bank.issuer.bank_id), "CardPan": new_pan(self.bank), "City": "lag",
            "PrimaryMobileNumber": "2347908516601", "RegistrationChannel": "9", "IsFailure": "true", "FailureReason": str(reason),
            **changed,
        }  # fmt: skip
        return enrolment(members)

    async def say(self, number: int | str, body: str | None = None, *, blocks: str = "", last: bool = False, **more: Any) -> Told:
        """Send a message of the sequence; without a body the one that leaves its number as its mark."""
        identifier = more.pop("identifier", "")
        content = self.work(int(number)) if body is None else body
        return await self.post(
            f"{SERVICES}AddCardHolder", self.numbered(number, identifier=identifier, last=last) + blocks, content, **more
        )

    async def ask(self, identifier: str = "") -> Told:
        return await self.post(f"{self.dialect.rm}/AckRequested", self.asks(identifier))

    async def close(self, identifier: str = "") -> Told:
        """Close the sequence: by the command of 1.1, or by the last message of 1.0, whose number must be given first."""
        assert not self.dialect.is_old
        body = f"<r:CloseSequence><r:Identifier>{identifier or self.id}</r:Identifier></r:CloseSequence>"
        return await self.post(f"{self.dialect.rm}/CloseSequence", "", body)

    async def end(self, number: int) -> Told:
        """Say that no message follows: LastMessage with this number in 1.0, CloseSequence in 1.1."""
        if not self.dialect.is_old:
            return await self.close()
        return await self.post(f"{self.dialect.rm}/LastMessage", self.numbered(number, last=True))

    async def terminate(self, identifier: str = "") -> Told:
        body = f"<r:TerminateSequence><r:Identifier>{identifier or self.id}</r:Identifier></r:TerminateSequence>"
        return await self.post(f"{self.dialect.rm}/TerminateSequence", "", body)


async def effects(database: Database, bank: Bank) -> list[int]:
    """Return the marks that messages left, in the order in which they took effect."""
    owner = await asyncpg.connect(database.dsn)
    rows = await owner.fetch(
        """SELECT detail->>'reason' FROM audit_entries
           WHERE tenant_id = $1 AND tag = 'sca:cardholder:not_enrolled' ORDER BY id""",
        bank.issuer.id,
    )
    await owner.close()
    return [int(row[0]) for row in rows]
