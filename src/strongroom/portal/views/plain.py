"""The pages that anybody may read, and those that say that something went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FirmDetails:
    """How a firm is found in public registers."""

    registered_name: str
    company_number: str
    address: str
    regulator: str = ""  # such as "Solicitors Regulation Authority"
    regulator_number: str = ""
    role: str = ""  # what the firm is, in its own words


@dataclass(frozen=True, slots=True)
class Genuine:
    """Is this genuine? Without login; with the firm's details where the address names one."""

    template: ClassVar[str] = "genuine.html"
    site: str  # the host name that people should see in their browser
    firm: FirmDetails | None = None


@dataclass(frozen=True, slots=True)
class Help:
    """Help, without login."""

    template: ClassVar[str] = "help.html"


@dataclass(frozen=True, slots=True)
class Privacy:
    """Cookies and privacy in short."""

    template: ClassVar[str] = "privacy.html"
    operator: str
    contact: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such page (404)."""

    template: ClassVar[str] = "not_found.html"
    reference: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """We failed (500, 503)."""

    template: ClassVar[str] = "trouble.html"
    reference: str


@dataclass(frozen=True, slots=True)
class TooMany:
    """A stated limit was reached (429)."""

    template: ClassVar[str] = "too_many.html"
    again_at: datetime


@dataclass(frozen=True, slots=True)
class OutOfDate:
    """The form was too old, or did not come from our own page (403, CSRF): nothing was done."""

    template: ClassVar[str] = "out_of_date.html"


@dataclass(frozen=True, slots=True)
class FragmentReturn:
    """A bank sent its answer in the address's fragment: a small script posts it to paths.BANK_RETURN."""

    template: ClassVar[str] = "fragment.html"
    again_url: str
