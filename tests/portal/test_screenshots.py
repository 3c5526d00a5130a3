"""`make screenshots`: every page and state of the customer's website, on a phone and on a desktop, and every page in the dark."""

from __future__ import annotations

import gallery
import pytest

from tests.browser import PROGRAM
from tests.rules.source import ROOT

FOLDER = ROOT / "docs" / "screenshots"
MAX_BYTES = 8_000_000  # of all pictures together: they are kept in the repository


@pytest.mark.screenshots
@pytest.mark.browser
@pytest.mark.needs(PROGRAM)
async def test_every_page_is_pictured_in_small_files() -> None:
    folders = {FOLDER / f"portal-{width}-{scheme}": scheme for width in (360, 1280) for scheme in ("light", "dark")}
    for folder in folders:
        for picture in folder.glob("*.webp"):
            picture.unlink()
    await gallery.picture(FOLDER, [])
    for folder, scheme in folders.items():
        assert sorted(picture.stem for picture in folder.glob("*.webp")) == sorted(gallery.pictured(scheme))
    assert sum(picture.stat().st_size for picture in FOLDER.rglob("*.webp")) < MAX_BYTES
