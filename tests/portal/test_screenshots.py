"""`make screenshots`: every page and state of the customer's website, on a phone and on a desktop, light and dark."""

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
    names = {sample.name for sample in gallery.samples()}
    folders = [FOLDER / f"portal-{width}-{scheme}" for width in (360, 1280) for scheme in ("light", "dark")]
    for folder in folders:
        for picture in folder.glob("*.webp"):
            if picture.stem not in names:
                picture.unlink()
    await gallery.picture(FOLDER, [])
    assert {picture.stem for folder in folders for picture in folder.glob("*.webp")} == names
    assert sum(picture.stat().st_size for picture in FOLDER.rglob("*.webp")) < MAX_BYTES
