"""What every page of the customer's website shares: the firm's look, the session, and how a form says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

IDLE_MINUTES: Final = 5


@dataclass(frozen=True, slots=True)
class FirmLook:
    """The firm in whose name a page speaks."""

    id: str
    name: str
    logo_url: str | None = None  # an image of ours, at most 4:1; its name is the text beside or instead of it


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page."""

    language: str
    csrf: str
    firm: FirmLook | None = None  # None where no firm is known, or several are
    session_seconds: int | None = None  # until the session ends without activity; None when nobody is signed in

    @property
    def idle_minutes(self) -> int:
        """The limit as people are told of it: without what is added for the time at the bank."""
        return min(IDLE_MINUTES, -(-(self.session_seconds or 0) // 60))


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field; the catalogue says it as `problem.<field>.<problem>`."""

    field: str
    problem: str
    count: int | None = None  # where the sentence counts something, such as the tries left


class View(Protocol):
    """What one page needs, and the template that shows it."""

    template: ClassVar[str]
