"""Coming back from the bank, in whichever browser: by form post, by address, or by fragment.

A bank's form post comes from another site, so browsers keep our cookies back. A payment needs none: it is found by its state.
A sharing must know the browser, so its answer is first handed to a page of ours that posts it again as our own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from strongroom.banking.port import CustomerContext
from strongroom.kit.errors import NotFound
from strongroom.kit.head import ACTS
from strongroom.portal import paths
from strongroom.portal.views.paying import ReturnHandOver
from strongroom.portal.views.plain import FragmentReturn
from strongroom.portal.visit import AnyRequest, Visit

FINISH = "/customer/return/finish"
_STATE_MAX = 200
_OPEN: dict[str, Any] = {"public": "the bank's answer is found by its state, whoever brings it"}


@get(paths.BANK_RETURN, opt={**_OPEN, **ACTS})
async def by_address(request: AnyRequest) -> Response[Any]:
    """Take an answer from the address; without one it may be in the fragment, which only a script can read."""
    visit = Visit(request)
    fields = {name: value for name, value in request.query_params.items() if isinstance(value, str)}
    if not _state_of(fields):
        return await visit.page(FragmentReturn(paths.ACTIONS))
    return await _take(visit, fields)


@post(paths.BANK_RETURN, status_code=303, opt=_OPEN)
async def by_form(request: AnyRequest) -> Response[Any]:
    """Take an answer that the bank's page, or our own fragment page, posts."""
    visit = Visit(request, may_name_browser=False)
    fields = await visit.foreign_form()
    fields.pop("csrf", None)
    state = _state_of(fields)
    if not state:
        raise NotFound
    if await visit.house.sharing.is_ours(state):
        return await visit.page(ReturnHandOver(FINISH, tuple(fields.items())))
    return await _take(visit, fields)


@post(FINISH, status_code=303, opt=_OPEN)
async def finish(request: AnyRequest) -> Response[Any]:
    """Take the answer of a sharing from our own page, with this browser's cookies."""
    visit = Visit(request)
    fields = await visit.foreign_form()
    fields.pop("csrf", None)
    return await _take(visit, fields)


def routes() -> list[HTTPRouteHandler]:
    """Return the handlers of this file."""
    return [by_address, by_form, finish]


async def _take(visit: Visit, fields: Mapping[str, str]) -> Response[Any]:
    """Record the answer and show what it belongs to."""
    state = _state_of(fields)
    if not state:
        raise NotFound
    if paid := await visit.house.payments.come_back(state, fields):
        visit.remember_pass("payment", *paid)
        return visit.go(paths.payment(paid[1]))
    context = CustomerContext(visit.address, visit.user_agent)
    shared = await visit.house.sharing.come_back(state, fields, visit.browser_hash, context)
    if shared is None:
        raise NotFound
    visit.remember_pass("share", shared.firm_id, shared.share_id)
    if shared.needs_code:
        is_sent = await visit.house.proofs.send_code(shared.firm_id, shared.share_id, visit.browser_hash, visit.address)
        return visit.go(paths.sharing(shared.share_id, "code") + ("" if is_sent else "?unsent=true"))
    return visit.go(paths.sharing(shared.share_id))


def _state_of(fields: Mapping[str, str]) -> str:
    """Return the state of an answer: plain, or inside a signed response (JARM), which the worker verifies before believing it."""
    plain = fields.get("state", "")
    if plain:
        return plain if len(plain) <= _STATE_MAX else ""
    parts = fields.get("response", "").split(".")
    if len(parts) != 3:  # noqa: PLR2004  # header, payload, signature
        return ""
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=dict[str, Any])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return ""
    state = claims.get("state", "")
    return state if isinstance(state, str) and len(state) <= _STATE_MAX else ""
