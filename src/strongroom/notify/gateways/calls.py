"""One HTTP call to a gateway, and what its failures mean: certainly not taken, refused for good, or nobody knows."""

from __future__ import annotations

import httpx

from strongroom.notify.port import Refused, Silent, Unavailable

_TIMEOUT = httpx.Timeout(15, connect=5)
_RETRY_MAX_SECONDS = 300
_ABOUT_US = {  # the gateway does not like us or is not where we think: the message is not at fault, another gateway may take it
    httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED,
    httpx.codes.PAYMENT_REQUIRED,
}  # fmt: skip
_LATER = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}


def open_client(auth: httpx.Auth | None = None) -> httpx.AsyncClient:
    """Return a client that follows no redirects, keeps connections and takes no proxy from the environment."""
    return httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, follow_redirects=False, auth=auth)


async def call(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Send a request and return the answer. Raise Unavailable when it certainly did not arrive, Silent when nobody knows."""
    try:
        return await client.send(request)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
        raise Unavailable("gateway_down") from error
    except httpx.HTTPError as error:
        raise Silent("gateway_silent") from error


def refuse_failures(answer: httpx.Response) -> None:
    """Raise what an answer means that is not a success: Refused, Unavailable or Silent."""
    status = answer.status_code
    if answer.is_success:
        return
    if status in _LATER:
        raise Unavailable("gateway_busy", retry_after_seconds=_retry_after(answer))
    if status in _ABOUT_US or answer.is_redirect:
        raise Unavailable("gateway_refuses_us")
    if answer.is_client_error:
        raise Refused("gateway_refused")
    raise Silent("gateway_failed")


def _retry_after(answer: httpx.Response) -> int:
    text = answer.headers.get("retry-after", "")
    return min(int(text), _RETRY_MAX_SECONDS) if text.isascii() and text.isdigit() else 0
