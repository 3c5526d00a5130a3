"""What `make run` prints of Safe Token, pasted as it stands."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.journeys.conftest import House, output_of
from tests.safetoken.document import add_response


def paste(house: House, heading: str) -> str:
    """Run the commands below a heading as a visitor would; return what they print."""
    printed = re.search(rf"^{re.escape(heading)}.*?\n\n((?:  .*\n)+)", output_of(house.folder).read_text(), re.MULTILINE)
    assert printed, heading
    script = f"set -e\nBASE_URL={house.base_url}\n{printed[1]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.needs("curl")
def test_the_printed_commands_run_as_they_are_printed(house: House) -> None:
    said = paste(house, "Safe Token's document")
    assert said.startswith(add_response("90000"))
    assert "<wsdl:definitions" in said


@pytest.mark.needs("curl")
@pytest.mark.needs("oathtool")
def test_the_printed_purchase_is_authenticated_by_the_device_whose_seed_is_printed(house: House) -> None:
    judged = json.loads(paste(house, "A purchase with a card whose holder has a device"))
    assert (judged["status"], judged["linking"]) == ("authenticated", "server")
    assert judged["proof"]


def test_the_report_has_a_card_of_each_kind(house: House) -> None:
    report = json.loads((house.folder / "dev.json").read_text())
    cards = {card["token"]: card for card in report["safetoken_cards"]}
    assert [bool(cards[token]["seed"]) for token in ("sms", "hotp", "totp")] == [False, True, True]
