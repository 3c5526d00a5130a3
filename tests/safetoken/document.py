"""The public document of Safe Token, read from the pages beside the repository when they are there, and copies of its samples."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.rules.source import ROOT

SEED = Path(os.environ.get("STRONGROOM_TEST_SEED") or ROOT.parent / "shared" / "product" / "seed-safe-token.txt")
_BASE = "http://schemas.datacontract.org/2004/07/TechQuest.Framework.ServiceFramework.Contract"


def sample_requests() -> str | None:
    """Return the document's own XML request; None where the document is not at hand."""
    if not SEED.is_file():
        return None
    found = re.search(r'<\?xml version="1\.0" encoding="UTF-8"\?>.*?</soapenv:Envelope>', SEED.read_text(), re.DOTALL)
    assert found
    return found[0]


def sample_python() -> str | None:
    """Return the document's own Python that asks for a token."""
    if not SEED.is_file():
        return None
    found = re.search(r"import requests\n.*?print\(response\.text\)", SEED.read_text(), re.DOTALL)
    assert found
    return found[0]


def printed_answers() -> list[str] | None:
    """Return the document's two answers without the blanks between elements: success, and failure with its number masked."""
    if not SEED.is_file():
        return None
    found = re.findall(r"<s:Envelope .*?</s:Envelope>", SEED.read_text(), re.DOTALL)
    return [re.sub(r">\s+<", "><", one).replace("50618310000000152048", "506183******2048") for one in found]


def envelope(result: str, operation: str = "AddCardHolder") -> str:
    """Return an answer as the document prints it, around its code and description."""
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<{operation}Response xmlns="http://services.interswitchng.com/">'
        f'<{operation}Result xmlns:a="techquest.interswitchng.com" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        f"{result}</{operation}Result></{operation}Response></s:Body></s:Envelope>"
    )


def coded(code: str, description: str | None = None) -> str:
    said = f'<ResponseDescription i:nil="true" xmlns="{_BASE}"/>'
    if description is not None:
        said = f'<ResponseDescription xmlns="{_BASE}">{description}</ResponseDescription>'
    return f'<ResponseCode xmlns="{_BASE}">{code}</ResponseCode>{said}'


def add_response(code: str, description: str | None = None) -> str:
    return envelope(coded(code, description))
