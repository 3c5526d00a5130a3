"""Times in a test's parameters: said as far from now, and a moment only when the test uses them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any


def with_moments(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims with every timedelta as seconds since 1970, counted from now."""
    now = int(time.time())
    return {name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value for name, value in claims.items()}
