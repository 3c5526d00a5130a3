"""What `make run` prints of Safe Token, pasted as it stands."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.journeys.conftest import House, output_of
from tests.safetoken.document import add_response


@pytest.mark.needs("curl")
def test_the_printed_commands_run_as_they_are_printed(house: House) -> None:
    printed = re.search(r"Safe Token's document.*?\n\n(.*?)\n\nCtrl-C", output_of(house.folder).read_text(), re.DOTALL)
    assert printed
    script = f"set -e\nBASE_URL={house.base_url}\n{printed[1]}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(add_response("90000"))
    assert "<wsdl:definitions" in done.stdout
