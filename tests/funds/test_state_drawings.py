"""Every state machine is drawn into `docs/states/`; UPDATE_DRAWINGS=1 draws them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from strongroom.funds import states
from strongroom.kit.machine import Machine
from strongroom.safetoken import states as sequence_states
from strongroom.sca.cardholding import states as cardholder_states
from strongroom.sca.devices import states as device_states
from strongroom.sca.purchasing import states as purchase_states

FOLDER = Path(__file__).parents[2] / "docs" / "states"
MODULES = (states, sequence_states, purchase_states, cardholder_states, device_states)
MACHINES = {name: value for module in MODULES for name, value in vars(module).items() if isinstance(value, Machine)}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)
def test_the_drawing_of_a_machine_is_the_machine(machine: Machine[Any, Any]) -> None:
    path = FOLDER / f"{machine.name.replace(' ', '-')}.md"
    drawing = page(machine)
    if os.environ.get("UPDATE_DRAWINGS") == "1":
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(drawing)
    assert path.is_file(), "UPDATE_DRAWINGS=1 draws it"
    assert path.read_text() == drawing, "the machine has changed; UPDATE_DRAWINGS=1 draws it anew"


def page(machine: Machine[Any, Any]) -> str:
    """Return one machine as a page: whose table it moves, its meaning, its drawing."""
    meaning = (machine.states.__doc__ or "").strip().splitlines()[0]
    return (
        f"# {machine.name[0].upper()}{machine.name[1:]}\n\n{meaning} The state is in `{machine.table}.state`; each arrow is "
        f"an event, and nothing else moves it.\n\n```mermaid\n{machine.draw()}```\n\n"
        "Drawn from the code: `UPDATE_DRAWINGS=1 pytest tests/funds/test_state_drawings.py`.\n"
    )
