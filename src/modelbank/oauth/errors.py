"""The authorisation server's refusals, in OAuth's words (RFC 6749 §4.1.2.1 and §5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from modelbank.web.asgi import Response, json_response

NO_STORE = (("cache-control", "no-store"), ("pragma", "no-cache"))


@dataclass
class OAuthRefused(Exception):  # an outcome, named by what is so
    """A token or push request is refused; `code` is OAuth's error code."""

    code: str
    description: str
    status: int = 400

    def response(self) -> Response:
        """Answer as RFC 6749 §5.2 says."""
        return json_response(self.status, {"error": self.code, "error_description": self.description}, *NO_STORE)


@dataclass
class RequestRefused(Exception):  # as above
    """An authorisation request is refused. `returnable` says that the address to return to has been proved."""

    code: str
    description: str
    returnable: bool = False
