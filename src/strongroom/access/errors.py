"""What access refuses. The names of OAuth's errors are RFC 6749 §5.2's."""

from __future__ import annotations

from typing import ClassVar

from strongroom.kit.errors import Conflict, Forbidden, Gone, Invalid, Refusal, Unauthorised


class InvalidToken(Unauthorised):
    """No access token, or one that is unknown, expired, revoked or shown without its certificate."""

    code, title = "invalid_token", "A valid access token is required"


class InsufficientScope(Forbidden):
    """The access token may not be used for this."""

    code, title = "insufficient_scope", "The access token lacks the scope that this needs"


class OAuthRefused(Refusal):
    """A request to an OAuth endpoint that is refused; `code` is the error of RFC 6749 §5.2."""

    code: ClassVar[str] = "invalid_request"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request is missing a parameter, repeats one, or cannot be read"


class InvalidRequest(OAuthRefused):
    """A parameter is missing, repeated or unreadable, or two ways to authenticate were used."""


class InvalidClient(OAuthRefused):
    """Unknown client, or wrong secret, assertion or certificate: never told apart."""

    code, status, title = "invalid_client", 401, "The client could not be authenticated"


class UnsupportedGrantType(OAuthRefused):
    """Only client_credentials is offered."""

    code, title = "unsupported_grant_type", "Only grant_type client_credentials is supported"


class InvalidScope(OAuthRefused):
    """A scope that does not exist or that the client does not have."""

    code, title = "invalid_scope", "The client does not have one of the scopes asked for"


class UnsuitableKeys(Invalid):
    """A client's public keys cannot be used; the message says why."""

    code, title = "unsuitable_keys", "These keys cannot be used"


class UnsuitableScope(Invalid):
    """A client is given a scope that its kind of tenant never has."""

    code, title = "unsuitable_scope", "A client of this kind of tenant cannot have this scope"


class BankIdTaken(Conflict):
    """Another issuer has this BankId."""

    code, title = "bank_id_taken", "Another issuer has this BankId"


class CardRangeTaken(Conflict):
    """Another issuer has exactly these first digits."""

    code, title = "card_range_taken", "Another issuer has these cards"


class UnsuitablePassword(Invalid):
    """A password that is too short, too long or made of the e-mail address."""

    code, title = "unsuitable_password", "This password cannot be used"


class StaffRefused(Unauthorised):
    """Wrong e-mail address, password or code, or locked for now: never told apart."""

    code, title = "staff_refused", "These details were refused, or too many attempts have been made; wait a while and try again"


class StaffExists(Conflict):
    """A person with this e-mail address is already of this firm's staff."""

    code, title = "staff_exists", "A person with this e-mail address is already a member of staff"


class SessionOver(Gone):
    """The session ended, or there never was one."""

    code, title = "session_over", "Your session has ended"
