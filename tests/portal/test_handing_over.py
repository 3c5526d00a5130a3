"""From the computer to the phone, page by page: two browsers, and a third that has photographed the code."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.faults.town import BASE_URL, COOKIE, Firm, Town, open_town


class Browser:
    """A browser with its own cookies, which follows redirects and finds the secret of a form by itself."""

    def __init__(self, town: Town) -> None:
        self.http = httpx.AsyncClient(transport=town.http._transport, base_url=BASE_URL)  # the same application

    async def get(self, url: str, **more: Any) -> httpx.Response:
        return await self.http.get(url, **more)

    async def press(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Post a page's form."""
        assert f'action="{action}"' in page.text, page.text
        csrf = re.search(r'name="csrf" value="(\w+)"', page.text)
        assert csrf is not None
        return await self.http.post(action, data={**fields, "csrf": csrf[1]})


@pytest.fixture
async def town(database: Any) -> AsyncIterator[Town]:
    async with open_town(database) as opened:
        yield opened


@pytest.fixture
async def browsers(town: Town) -> AsyncIterator[list[Browser]]:
    """Give the computer, signed in as a customer of Alder, a phone and a thief's phone."""
    made = [Browser(town) for _ in range(3)]
    made[0].http.cookies.set(f"{COOKIE}session", (await town.open_session(town.alder.record))["session"], domain="pay.example")
    yield made
    for one in made:
        await one.http.aclose()


def address_of(page: httpx.Response) -> str:
    """Return the path of the address that the page shows beside its code."""
    found = re.search(r"data-phone-address>https://pay\.example(/customer/on-phone/[a-z0-9]{24})<", page.text)
    assert found is not None, page.text
    return found[1]


def follow_of(page: httpx.Response) -> str:
    found = re.search(r'href="(/customer/handed-over/hof-\w+)"', page.text)
    assert found is not None
    return found[1]


def pay(firm: Firm) -> str:
    return f"/customer/pay/{firm.ids['waiting credit']}"


async def scan(phone: Browser, address: str) -> httpx.Response:
    """Open the address, press the button, and see the page with the number."""
    pressed = await phone.press(await phone.get(address), address)
    assert pressed.status_code == 303
    assert address.rsplit("/", maxsplit=1)[1] not in pressed.headers["location"]
    return await phone.get(pressed.headers["location"])


def number_of(page: httpx.Response) -> str:
    found = re.search(r'class="big-number">(\d{4})<', page.text)
    assert found is not None, page.text
    return found[1]


async def handed_over(town: Town, computer: Browser, phone: Browser, where: str) -> tuple[str, str]:
    """Take a page from the computer to the phone; return what the computer follows and where the phone came out."""
    choice = await computer.get(where)
    follow, shown = follow_of(choice), await scan(phone, address_of(choice))
    typed = await computer.press(await computer.get(follow), follow, number=number_of(shown))
    assert (typed.status_code, typed.headers["location"]) == (303, follow)
    gone_on = await phone.get(str(shown.url))
    assert gone_on.status_code == 303
    return follow, gone_on.headers["location"]


async def test_the_phone_comes_out_at_the_same_payment_and_sees_nothing_else(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    follow, where = await handed_over(town, computer, phone, pay(town.alder))
    assert where == pay(town.alder)
    choice = await phone.get(where)
    assert "Alder Partners opening fee" in choice.text
    assert "data-phone-address" not in choice.text
    others = [f"/customer/pay/{town.alder.ids['credit']}", f"/customer/share/{town.alder.ids['waiting account']}"]
    others += [f"/customer/payments/{town.alder.ids['payment']}", f"/customer/shares/{town.alder.ids['share']}"]
    assert [(await phone.get(url)).status_code for url in others] == [404] * 4
    listed = (await phone.get("/customer/actions")).text
    assert set(re.findall(r"/customer/(?:pay|share)/(\w+-\w+)", listed)) == {town.alder.ids["waiting credit"]}
    assert town.alder.ids["share"] not in (await phone.get("/customer/consents")).text
    assert (await phone.get(follow)).status_code == 404


async def test_sharing_goes_on_with_the_phone_too(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    where = f"/customer/share/{town.alder.ids['waiting account']}/bank"
    follow, came_out = await handed_over(town, computer, phone, where)
    assert came_out == where
    assert (await phone.get(where)).status_code == 200
    assert "Your phone is connected" in (await computer.get(follow)).text


async def test_whoever_photographs_the_code_gets_no_further_than_a_number(town: Town, browsers: list[Browser]):
    computer, phone, thief = browsers
    choice = await computer.get(pay(town.alder))
    shown = await scan(thief, address_of(choice))
    assert not any(text in shown.text for text in town.alder.private), "the number's page tells nothing about the request"
    late = await phone.get(address_of(choice))
    assert late.status_code == 410
    assert "This code has been used" in late.text
    follow = follow_of(choice)
    stopped = await computer.press(await computer.get(follow), f"{follow}/stop")
    assert stopped.headers["location"] == pay(town.alder)
    after = await thief.get(str(shown.url))
    assert after.status_code == 410
    assert "This was stopped on your computer" in after.text
    assert (await thief.get(pay(town.alder))).headers["location"] == "/customer/login"


async def test_the_page_behind_the_code_tells_no_amount_no_name_and_no_referrer(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    landing = await phone.get(address_of(await computer.get(pay(town.alder))))
    assert landing.headers["referrer-policy"] == "no-referrer"
    assert landing.headers["cache-control"] == "no-store"
    token = landing.url.path.rsplit("/", maxsplit=1)[1]
    assert not any(text in landing.text.replace(token, "") for text in town.alder.private)
    assert "Alder Partners" in landing.text


async def test_three_wrong_numbers_are_said_and_close_the_code(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    choice = await computer.get(pay(town.alder))
    follow, shown = follow_of(choice), await scan(phone, address_of(choice))
    wrong = f"{(int(number_of(shown)) + 1) % 10_000:04d}"
    page = await computer.get(follow)
    for left in ("2 tries left", "1 try left"):
        again = await computer.press(page, follow, number=wrong)
        assert again.status_code == 422
        assert left in again.text
    assert (await computer.press(page, follow, number="none")).status_code == 422  # costs no try
    last = await computer.press(page, follow, number=wrong)
    gone = await computer.get(last.headers["location"])
    assert gone.status_code == 410
    assert "Too many wrong numbers" in gone.text
    assert "too many wrong numbers" in (await phone.get(str(shown.url))).text
    assert "data-phone-address" in (await computer.get(pay(town.alder))).text


async def test_a_code_that_is_too_old_says_so_on_both_screens_and_keeps_no_session_alive(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    choice = await computer.get(pay(town.alder))
    follow = follow_of(choice)
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(seconds=290))
    await computer.get("/customer/actions")
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(seconds=301))
    late = await phone.get(address_of(choice))
    assert (late.status_code, "This code is too old" in late.text) == (410, True)
    said = (await computer.get(f"{follow}/status")).json()
    assert said == {"text": "This code is too old. Load this page again for a new one.", "final": False}
    assert "The code is too old" in (await computer.get(follow)).text
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(seconds=591))
    assert (await computer.get(f"{follow}/status")).status_code == 200
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(seconds=602))
    assert (await computer.get(f"{follow}/status")).status_code == 401


async def test_the_computer_follows_the_phone_to_the_same_page(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    choice = await computer.get(pay(town.alder))
    follow = follow_of(choice)
    assert (await computer.get(f"{follow}/status")).json() == {"text": "Waiting for your phone", "final": False}
    shown = await scan(phone, address_of(choice))
    assert (await computer.get(f"{follow}/status")).json() == {"text": "", "final": True, "next": follow}
    status = f"{shown.url}/status"
    assert (await phone.get(status)).json()["final"] is False
    await computer.press(await computer.get(follow), follow, number=number_of(shown))
    assert (await phone.get(status)).json()["final"] is True
    where = (await phone.get(str(shown.url))).headers["location"]
    assert "Your phone is connected" in (await computer.get(follow)).text
    check = await phone.get(f"{where}/check?bank=mulberry")
    begun = await phone.press(check, f"{where}/check", bank="mulberry")
    payment_id = begun.headers["location"].split("/")[-2]
    assert "You are at Mulberry Bank on your phone" in (await computer.get(follow)).text
    another = await phone.press(
        await phone.get(f"/customer/payments/{payment_id}"), f"/customer/payments/{payment_id}/another-bank"
    )
    assert another.headers["location"] == where
    failed = await computer.get(follow)
    assert "It did not work at Mulberry Bank" in failed.text
    assert f"/customer/payments/{payment_id}" in failed.text
    await town.house.requests.freeze(town.alder.id, town.alder.ids["customer"], town.alder.ids["waiting credit"])
    assert (await computer.get(follow)).headers["location"] == where
    assert (await computer.get(f"{follow}/status")).json() == {"text": "", "final": True, "next": where}


async def test_the_time_on_the_phone_does_not_sign_the_computer_out(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    follow, _ = await handed_over(town, computer, phone, pay(town.alder))
    await computer.get(follow)
    await town.owner.execute("UPDATE clock_offset SET ahead = $1", timedelta(minutes=12))
    assert (await computer.get(f"{follow}/status")).status_code == 200


@pytest.mark.parametrize("how", ["sign out", "go on here instead"])
async def test_the_computer_can_sign_the_phone_out(town: Town, browsers: list[Browser], how: str):
    computer, phone, _ = browsers
    follow, where = await handed_over(town, computer, phone, pay(town.alder))
    page = await computer.get(follow)
    await computer.press(page, "/customer/sign-out" if how == "sign out" else f"{follow}/stop")
    assert (await phone.get(where)).status_code == 401


async def test_the_address_opened_at_the_computer_itself_uses_nothing_up(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    address = address_of(await computer.get(pay(town.alder)))
    opened = await computer.get(address)
    assert (opened.status_code, opened.headers["location"]) == (303, pay(town.alder))
    assert (await phone.get(address)).status_code == 200


async def test_a_button_pressed_twice_on_the_phone_leads_to_the_same_number(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    address = address_of(await computer.get(pay(town.alder)))
    landing = await phone.get(address)
    first, second = await phone.press(landing, address), await phone.press(landing, address)
    assert first.headers["location"] == second.headers["location"]
    assert (await phone.get(address)).headers["location"] == first.headers["location"]


async def test_a_form_without_its_secret_hands_nothing_over(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    choice = await computer.get(pay(town.alder))
    address, follow = address_of(choice), follow_of(choice)
    assert (await phone.http.post(address, data={"csrf": "x"})).status_code == 403
    shown = await scan(phone, address)
    for url, fields in ((follow, {"number": number_of(shown)}), (f"{follow}/stop", {})):
        assert (await computer.http.post(url, data={**fields, "csrf": "x"})).status_code == 403
    assert (await phone.get(str(shown.url))).status_code == 200


async def test_pages_look_again_by_themselves_without_javascript(town: Town, browsers: list[Browser]):
    computer, phone, _ = browsers
    choice = await computer.get(pay(town.alder))
    shown = await scan(phone, address_of(choice))
    refresh = '<noscript><meta http-equiv="refresh" content="{}"></noscript>'
    assert refresh.format(5) in shown.text
    assert "refresh" not in (await computer.get(follow_of(choice))).text, "nothing typed may be lost"
