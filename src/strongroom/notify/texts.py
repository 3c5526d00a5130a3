"""What text messages say: the catalogue's wording or a firm's own, with closed placeholders, in one segment."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from strongroom.kit.db import Tx
from strongroom.kit.errors import FieldError, Invalid
from strongroom.notify.gsm import Encoding, encoding_of, segments_of, to_gsm
from strongroom.notify.store import messages as store

_FIRM_MIN = 11  # as long as a sender's name may be; a shorter cut would hide who asks
_TEXT_MAX = 300
_FORBIDDEN_WITH_LINK = re.compile(r"\b(?:bank\w*|account\w*|pay\w*|transfer\w*|money|card|deposit|refund)\b|£|GBP", re.IGNORECASE)


class Template(StrEnum):
    """The texts that there are."""

    REQUEST_LINK = "request_link"
    LOGIN_CODE = "login_code"
    PHONE_CHANGED = "phone_changed"
    PURCHASE_CODE = "purchase_code"
    CARD_CODE = "card_code"
    CARD_LOCKED = "card_locked"
    CARD_BLOCKED = "card_blocked"


PLACEHOLDERS: Mapping[Template, frozenset[str]] = {
    Template.REQUEST_LINK: frozenset({"firm", "link"}),
    Template.LOGIN_CODE: frozenset({"code", "firm", "host"}),
    Template.PHONE_CHANGED: frozenset({"firm"}),
    Template.PURCHASE_CODE: frozenset({"code", "amount", "payee", "firm"}),
    Template.CARD_CODE: frozenset({"code", "firm"}),
    Template.CARD_LOCKED: frozenset({"time", "firm"}),
    Template.CARD_BLOCKED: frozenset({"firm"}),
}
_WITH_CODE = {Template.LOGIN_CODE, Template.PURCHASE_CODE, Template.CARD_CODE}
_LAST_LINE = "@{host} #{code}"  # browsers offer the code only on that host


def _read_catalogue() -> dict[Template, str]:
    raw = tomllib.loads((Path(__file__).parent / "templates" / "en.toml").read_text())
    return {template: raw[template]["text"] for template in Template}


CATALOGUE: Mapping[Template, str] = _read_catalogue()


class Texts:
    """The wording that each tenant uses."""

    async def write(self, tx: Tx, tenant_id: str, template: Template, values: Mapping[str, str]) -> str:
        """Return the text to send, with every placeholder of the template given in `values`."""
        wording = await store.find_text(tx, tenant_id, template) or CATALOGUE[template]
        return fill(template, wording, values)

    async def set_wording(self, tx: Tx, tenant_id: str, template: Template, wording: str | None) -> None:
        """Give a tenant its own wording, or None for the catalogue's. Raise Invalid."""
        if wording is None:
            await store.delete_text(tx, tenant_id, template)
            return
        check_wording(template, wording)
        await store.upsert_text(tx, tenant_id, template, wording)


def fill(template: Template, wording: str, values: Mapping[str, str]) -> str:
    """Fill in a wording; a long firm's name is cut at a word as far as one segment needs it."""
    if set(values) != PLACEHOLDERS[template]:
        raise ValueError(f"{template} takes exactly {sorted(PLACEHOLDERS[template])}")
    plain = {name: to_gsm(" ".join(value.split())) for name, value in values.items()}
    text = wording.format_map(plain)
    firm = plain.get("firm", "")
    for name in _shorter_names(firm):
        if segments_of(text) == 1:
            break
        text = wording.format_map(plain | {"firm": name})
    return text


def check_wording(template: Template, wording: str) -> None:
    """Raise Invalid, naming the reason, unless a wording is safe to use for a template."""
    for wrong, reason in (
        (not 0 < len(wording) <= _TEXT_MAX, f"must have 1 to {_TEXT_MAX} characters"),
        (_names(wording) != PLACEHOLDERS[template], f"must use exactly {_listed(template)}"),
        (encoding_of(wording) is not Encoding.GSM7, "must use only the alphabet of text messages"),
        (
            template is Template.REQUEST_LINK and bool(_FORBIDDEN_WITH_LINK.search(wording)),
            "must not speak of banks, accounts, payments or amounts beside a link",
        ),
        (template in _WITH_CODE and not wording.startswith("{code}"), "must begin with {code}"),
        (
            template is Template.LOGIN_CODE and wording.splitlines()[-1:] != [_LAST_LINE],
            f"must end with the line {_LAST_LINE}",
        ),
    ):
        if wrong:
            raise Invalid(f"The text {reason}", errors=(FieldError("/text", reason),))


def _names(wording: str) -> frozenset[str] | None:
    """Return the placeholders of a wording; None when one has a form that could reach into values or is not closed."""
    try:
        fields = [field[1:] for field in string.Formatter().parse(wording) if field[1] is not None]
    except ValueError:
        return None
    if any(spec or conversion for _, spec, conversion in fields):
        return None
    return frozenset(name or "" for name, _, _ in fields)


def _listed(template: Template) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS[template]))


def _shorter_names(firm: str) -> list[str]:
    """Return ever shorter forms of a name: cut after a word, and at the end within it."""
    words = firm.split(" ")
    by_word = [" ".join(words[:count]).rstrip(" &,-") for count in range(len(words) - 1, 0, -1)]
    long_enough = [name for name in by_word if len(name) >= _FIRM_MIN]
    shortest = long_enough[-1] if long_enough else firm
    return [*long_enough, shortest[:_FIRM_MIN].rstrip(" &,-")]
