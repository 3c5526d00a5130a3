"""gSOAP's WS-ReliableMessaging as a bank's software, over a line that loses and doubles, to a server that is killed in between."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from strongroom.safetoken.wsdl import write_wsdl
from tests.conftest import Database
from tests.safetoken.conftest import Bank
from tests.safetoken.reliable.by_hand import effects
from tests.safetoken.reliable.lossy_line import LossyLine
from tests.safetoken.served import Served, beside, restart
from tests.safetoken.signed.test_clients import G
from tests.safetoken.test_enrolment import new_pan
from tests.safetoken.test_foreign_clients import CLIENTS, run

PATH = "/api/v1/safetoken/reliable"
_ADDRESSING = ("MessageID", "RelatesTo", "From", "ReplyTo", "FaultTo", "To", "Action")
pytestmark = pytest.mark.needs("soapcpp2")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the C program, built from the WSDL and the distribution's plugin."""
    folder = tmp_path_factory.mktemp("gsoap-wsrm")
    (folder / "safetoken.wsdl").write_text(write_wsdl("http://localhost"))
    run(["wsdl2h", "-c", "-o", "stub.h", "safetoken.wsdl"], folder)
    parts = [f"wsa5__{name}" for name in _ADDRESSING] + [
        f"wsrm__{name}" for name in ("Sequence", "AckRequested", "SequenceAcknowledgement")
    ]
    headers = "".join(f"//gsoap ns1 service method-header-part: AddCardHolder {part}\n" for part in parts)
    (folder / "reliable.h").write_text(f'#import "wsrm.h"\n{(folder / "stub.h").read_text()}{headers}')
    run(["soapcpp2", "-c", "-a", "-C", "-L", "-x", f"-I{G}/import:{G}", "reliable.h"], folder)
    sources = [str(CLIENTS / "reliable.c"), "soapC.c", "soapClient.c"]
    plugins = [str(G / "plugin" / f"{name}.c") for name in ("wsrmapi", "wsaapi", "threads")]
    custom = [str(G / "custom" / "duration.c")]
    flags = ["-O0", "-w", "-DWITH_DOM", "-I.", f"-I{G}/plugin", f"-I{G}"]
    run(["gcc", *flags, *sources, *plugins, *custom, "-o", "reliable", "-lgsoap", "-lpthread"], folder)
    return folder / "reliable"


async def call(program: Path, url: str, bank: Bank, count: int, how: str) -> dict[str, str]:
    """Run the program and return the code that each message was answered with."""
    arguments = [f"{url}{PATH}", await bank.token(), str(bank.issuer.bank_id), new_pan(bank), str(count), how]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(program), *arguments, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(240):
        out, complaints = await process.communicate()
    assert process.returncode == 0, f"{out.decode()}\n{complaints.decode()}"
    return dict(line.split("|") for line in out.decode().split())


async def test_over_a_good_line_each_message_is_answered_and_acknowledged(
    served: Served, bank: Bank, shared_database: Database, program: Path
):
    line = LossyLine(served.url)
    async with line.open() as url:
        said = await call(program, url, bank, 5, "retry")
    assert said == {**{str(number): "90000" for number in range(1, 6)}, "unacknowledged": "0"}
    assert await effects(shared_database, bank) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", ["retry", "burst"])
async def test_lost_and_doubled_messages_take_effect_once_in_order_with_the_same_answer(
    served: Served, bank: Bank, shared_database: Database, program: Path, how: str
):
    line = LossyLine(served.url, ["", "reply", "double", "request", "", "request", "reply", "reply", "double", "request"] * 2)
    async with line.open() as url:
        said = await call(program, url, bank, 12, how)
    assert said["unacknowledged"] == "0"
    assert await effects(shared_database, bank) == list(range(1, 13))
    assert line.mishaps == []
    assert {len(answers) for answers in line.answers.values()} == {1}, "one answer, byte for byte, to the same bytes"


async def test_a_server_killed_in_between_again_and_again_loses_and_doubles_nothing(
    served: Served, bank: Bank, shared_database: Database, program: Path
):
    running = []

    async def kill() -> None:
        running[-1].process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(running[-1].process.wait, 30)
        running.append(await asyncio.to_thread(restart, running[-1]))

    luck = random.Random(20261127)
    mishaps = [luck.choice(["", "kill", "reply", "request", "double"]) for _ in range(16)]
    with beside(served) as own:
        running.append(own)
        line = LossyLine(own.url, mishaps, kill)
        async with line.open() as url:
            said = await call(program, url, bank, 10, "retry")
        running[-1].process.terminate()
        running[-1].process.wait(30)
    assert len(running) > 3, "it was killed"
    assert said.pop("unacknowledged") == "0"
    assert {"90000"} <= set(said.values()) <= {"90000", "lost"}
    assert await effects(shared_database, bank) == list(range(1, 11))
    assert {len(answers) for answers in line.answers.values()} == {1}
