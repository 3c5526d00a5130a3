"""What tokens refuse."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, Invalid, NotFound
from strongroom.sca.devices.states import TokenState


class NoSuchToken(NotFound):
    """The issuer has no token with this serial."""

    code, title = "no_such_token", "There is no token with this serial"


class TokenInvalid(Invalid):
    """What was given of a token cannot be a token."""

    code, title = "token_invalid", "This cannot be a token"


class SerialTaken(Conflict):
    """The issuer has a token with this serial."""

    code, title = "serial_taken", "A token with this serial exists"


class TokenHeld(Conflict):
    """The token is another cardholder's."""

    code, title = "token_held", "The token is associated with a cardholder"


class HasToken(Conflict):
    """The cardholder has a token; it is replaced, or taken away first."""

    code, title = "has_token", "The cardholder has a token; replace it, or take it away first"


class NoSuchCardholder(NotFound):
    """The issuer has no such cardholder."""

    code, title = "no_such_cardholder", "There is no such cardholder"


class TokenStateRefuses(Conflict):
    """The token's state does not allow this. `state` is the one it is in, where it is that which refuses."""

    code, title = "token_state", "The token's state does not allow this"

    def __init__(self, detail: str = "", *, state: TokenState | None = None) -> None:
        super().__init__(detail or (f"The token is {state}, and that does not allow this" if state else ""))
        self.state = state


class OnePersonOnly(Conflict):
    """Whoever asked for an unblocking may not approve it."""

    code, title = "same_person", "What one person asked for, another approves"


class NewerThanProposal(Conflict):
    """Whoever asked for an unblocking might have made the account that approves it."""

    code, title = "approver_too_new", "Who approves must have been a member of staff when it was asked for"
