"""An issuer's service of another make: a bare TLS socket, the standard library's XML, and whatever answer a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.envelopes import parse
from strongroom.soap.faults import Version
from strongroom.soap.security import Level, Signer
from strongroom.soap.signing import sign
from tests.issuing.pki import Pki

ISSUER, SOAP = "http://techquest.interswitchng.com/", "http://schemas.xmlsoap.org/soap/envelope/"
CARD, PHONE, CODE = "5061810000000152048", "08012345678", "459235"


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes
    certificate: bytes

    @property
    def is_json(self) -> bool:
        return "json" in self.headers["content-type"]

    @property
    def is_soap(self) -> bool:
        return "soapaction" in self.headers

    @property
    def operation(self) -> str:
        """The question in the words of the REST paths."""
        named = self.headers["soapaction"].strip('"') if self.is_soap else self.path.strip("/").rpartition("/")[2]
        return named.lower()

    @property
    def members(self) -> dict[str, str]:
        if self.is_json:
            return json.loads(self.body)
        tree = ET.fromstring(self.body)  # noqa: S314  # our own connector wrote it
        return {one.tag.rpartition("}")[2]: one.text or "" for one in tree.iter()}


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


class Lost(Exception):
    """Close the connection without an answer."""


class ForeignIssuer:
    """Knows one card and one code. A test replaces answers by the last part of the path."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Callable[[Asked], Reply]] = {}
        self.signer: Signer | None = None  # by which SOAP answers are signed

    async def start(self, context: ssl.SSLContext) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        self.host = f"localhost:{self.port}"
        self.url = f"https://{self.host}/isas"

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def asked_for(self, operation: str) -> list[Asked]:
        return [one for one in self.asked if one.operation == operation]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, Lost):
            asked = await self._read(reader, writer)
            self.asked.append(asked)
            own = self.answers.get(asked.operation)
            reply = own(asked) if own else self.usual(asked)
            if self.signer is not None and reply.body.startswith(b"<s:Envelope"):
                reply = dataclasses.replace(reply, body=sign_answer(asked, reply.body, self.signer))
            await asyncio.sleep(reply.delay_seconds)
            kind = "application/json" if asked.is_json else "application/xml; charset=utf-8"
            head = {"content-length": str(len(reply.body)), "content-type": kind, **reply.headers}
            lines = [f"HTTP/1.1 {reply.status} X", "connection: close", *(f"{name}: {value}" for name, value in head.items())]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        _, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Asked(path, headers, body, writer.get_extra_info("ssl_object").getpeercert(binary_form=True))

    def usual(self, asked: Asked) -> Reply:
        if asked.operation == "validatecard":
            if asked.members.get("CardPan") != CARD:
                return said(asked, {"ResponseCode": "82001"})
            return said(
                asked,
                {"ResponseCode": "90000", "TokenType": "2", "PhoneNumber": PHONE, "AdditionalInfo": "Enter your otp"},
            )  # fmt: skip
        right = asked.members.get("Otp") == CODE
        return said(asked, {"ResponseCode": "90000" if right else "80001"})


def said(asked: Asked, members: dict[str, str], status: int = 200, root: str = "Response") -> Reply:
    """Return an answer in the form that was asked in."""
    if asked.is_json:
        return Reply(status, json.dumps(members).encode())
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    if asked.is_soap:
        operation = asked.headers["soapaction"].strip('"')
        inner = f'<{operation}Response xmlns="{ISSUER}"><{root}>{inside}</{root}></{operation}Response>'
        return Reply(status, f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{inner}</s:Body></s:Envelope>'.encode())
    return Reply(status, f"<{root}>{inside}</{root}>".encode())


def sign_answer(asked: Asked, body: bytes, signer: Signer) -> bytes:
    """Sign an answer, and say in it to which question it is."""
    inner = body.decode().partition("<s:Body>")[2].partition("</s:Body>")[0]
    relates_to = parse(asked.body).addressing.message_id
    blocks = write_addressing(Wsa.V2005, "urn:answer", relates_to=relates_to)
    return sign(Version.SOAP_11, inner, blocks, signer, datetime.now(UTC), Level.BODY).encode()


async def open_issuer(pki: Pki) -> ForeignIssuer:
    one = ForeignIssuer()
    await one.start(pki.server_context())
    return one
