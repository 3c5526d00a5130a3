"""The lines to remote issuers: made when first needed, kept while the issuer's policy stays the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from strongroom.access.issuer_model import RemoteProtocol
from strongroom.issuing.connectors.rest import RestConnector
from strongroom.issuing.connectors.soap import SoapConnector
from strongroom.issuing.line import Connector, Line
from strongroom.issuing.model import LIMIT_SECONDS, Policy
from strongroom.issuing.port import RemoteIssuer
from strongroom.issuing.transport import Identity, Transport
from strongroom.soap.signers import OurSigner


class RemoteIssuers:
    """Hold a line to each issuer that is called. Close it at the end."""

    def __init__(
        self,
        identity: Identity | None,
        allowed_hosts: frozenset[str] = frozenset(),
        signer: OurSigner | None = None,
        *,
        limit_seconds: float = LIMIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = Transport(identity, allowed_hosts)
        self._signer = signer
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._lines: dict[str, tuple[Policy, Line]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End what is open at every issuer, and close every connection."""
        for _, line in self._lines.values():
            self._close_later(line)
        if self._closing:
            await asyncio.wait(self._closing)
        await self._transport.close()

    def line(self, policy: Policy) -> RemoteIssuer:
        """Return the line for a policy; a changed policy begins a new one."""
        held = self._lines.get(policy.issuer_id)
        if held is None or held[0] != policy:
            if held is not None:
                self._close_later(held[1])
            line = Line(policy, self._connector(policy), limit_seconds=self._limit_seconds, clock=self._clock)
            held = self._lines[policy.issuer_id] = (policy, line)
        return held[1]

    def _close_later(self, line: Line) -> None:
        task = asyncio.create_task(line.close(), name="close a line")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _connector(self, policy: Policy) -> Connector:
        if policy.protocol is RemoteProtocol.SOAP:
            return SoapConnector(self._transport, policy, self._signer)
        return RestConnector(self._transport, policy)
