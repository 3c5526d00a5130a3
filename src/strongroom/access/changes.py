"""Changes of a tenant's settings, which may be texts as a command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from strongroom.kit.errors import FieldError, Invalid

S = TypeVar("S", bound=msgspec.Struct)


def changed_settings(settings: S, changes: Mapping[str, Any]) -> S:
    """Return the settings with changes, whose values may be texts as a command line gives them. Raise Invalid."""
    known = {field.name: field for field in msgspec.structs.fields(type(settings))}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise Invalid(f"There is no setting {name!r}", errors=(FieldError(f"/{name}", "is not a known setting"),))
        try:
            values[name] = msgspec.convert(value, known[name].type, strict=False)
        except msgspec.ValidationError as error:
            raise Invalid(f"The setting {name!r} cannot be so: {error}", errors=(FieldError(f"/{name}", str(error)),)) from None
    return msgspec.structs.replace(settings, **values)
