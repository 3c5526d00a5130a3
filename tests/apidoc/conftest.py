"""The firm of tests/funds, whose developer reads the document."""

from __future__ import annotations

from tests.funds.conftest import application, firm

__all__ = ["application", "firm"]
