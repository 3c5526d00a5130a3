from __future__ import annotations

from strongroom.notify.model import Purpose
from strongroom.notify.sending import Sender
from tests.notify.conftest import House, Phone


async def test_a_code_is_claimed_before_an_older_notice_when_there_is_room_for_one(house: House) -> None:
    await house.queue(text="notice")
    await house.queue(text="code", purpose=Purpose.LOGIN_CODE)
    phone = Phone()
    sender = Sender(house.worker, house.vault, [phone], at_once=1)
    assert await sender.send_due() == 1
    await sender.finish()
    assert [message.text for message in phone.carried] == ["code"]
