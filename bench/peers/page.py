"""The page of actions as a bare Litestar application renders it: the same template and texts, and no data behind it.

python -m bench.peers.page PORT
"""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, Response, get

from strongroom.portal.rendering import Pages
from strongroom.portal.views.frame import FirmLook, Frame
from strongroom.portal.views.requests import Actions, CardState, FirmActions, PayCard

_PAGES = Pages()
_CARD = PayCard("csp-0000000000000", "Case Opening Fee", 10_000, CardState.OPEN, "/customer/pay/csp-0000000000000")
_VIEW = Actions((FirmActions("frm-0000000000000", "Bench firm 0", (_CARD,)),))
_FRAME = Frame("en", "0" * 64, FirmLook("frm-0000000000000", "Bench firm 0"), 300)


@get("/customer/actions")
async def actions() -> Response[bytes]:
    return Response(_PAGES.render(_FRAME, _VIEW).encode(), media_type="text/html")


@get("/health/ready")
async def ready() -> str:
    return "ready"


if __name__ == "__main__":
    app = Litestar([actions, ready], openapi_config=None, logging_config=None)
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_config=None, access_log=False)
