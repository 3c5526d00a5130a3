"""The customer's side of a journey: what a person does in a browser, step by step, on our pages and on the pretend bank's."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.journeys.customer.firm import Firm, Person

GO = "main a.button"  # the primary way on
PRESS = "main form button.button"


async def sign_in(page: Page, firm: Firm, person: Person) -> None:
    """Log in by e-mail, date of birth and the code on the phone."""
    await page.goto(f"{firm.house.base_url}/customer")
    await page.click(GO)
    await tell_who(page, person)
    code = (await firm.codes(person))[-1]
    await page.fill("#code", f"{code[:3]} {code[3:]}")  # as people copy it
    await page.click(PRESS)
    await expect(page).to_have_url(f"{firm.house.base_url}/customer/actions")


async def tell_who(page: Page, person: Person) -> None:
    """Fill in who it is and ask for the code."""
    await page.fill("#email", person.email)
    for name, value in zip(("day", "month", "year"), person.born, strict=True):
        await page.fill(f"[name={name}]", value)
    await page.click(PRESS)


async def come_from_app(page: Page, firm: Firm, person: Person) -> None:
    """Come by a login grant; the button presses itself."""
    await page.goto(await firm.grant(person))
    await expect(page).to_have_url(f"{firm.house.base_url}/customer/actions")


async def agree_to_pay(page: Page, firm: Firm, request_id: str, bank: str = "mulberry") -> str:
    """Go straight to the page on which the payment is agreed, and agree; return the payment's id."""
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}/check?bank={bank}")
    await page.click(PRESS)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("You are going to")
    return page.url.split("/")[-2]


async def agree_to_share(page: Page, firm: Firm, request_id: str, bank: str = "harbour") -> str:
    """Go straight to the page on which sharing is agreed, and agree; return the share's id."""
    await page.goto(f"{firm.house.base_url}/customer/share/{request_id}/check?bank={bank}")
    await page.click(PRESS)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Over to")
    return page.url.split("/")[-2]


async def go_to_bank(page: Page) -> None:
    """Follow the link to the bank."""
    await page.click(GO)
    await page.wait_for_selector("#username")


async def bank_address(page: Page, firm: Firm) -> str:
    """Return the bank's address behind the link, as somebody would copy it; a bank may give one only when it is asked for."""
    address = str(await page.get_attribute(GO, "href"))
    if not address.startswith("/"):
        return address
    return (await page.request.get(f"{firm.house.base_url}{address}", max_redirects=0)).headers["location"]


async def sign_in_at_bank(page: Page, username: str) -> None:
    """Be one of the pretend customers."""
    await page.fill("#username", username)
    await page.fill("#password", "pretend")
    await page.click("button.primary")
    await page.wait_for_selector("#username", state="detached")


async def approve_at_bank(page: Page, username: str = "test", accounts: tuple[int, ...] = (1,)) -> None:
    """Sign in, choose accounts, agree."""
    await sign_in_at_bank(page, username)
    for number in accounts:
        await page.check(f"#account-{number}")
    await page.click("button.primary")
    await page.wait_for_selector("form[action*='/confirm/']")
    await page.click("form[action*='/confirm/'] button.primary")


async def cancel_at_bank(page: Page) -> None:
    """Say no at the bank."""
    await page.click("form[action*='/cancel/'] button")


async def see(page: Page, heading: str, *, within_seconds: float = 40) -> None:
    """Wait until the page's heading says something; the page changes by itself."""
    await expect(page.get_by_role("heading", level=1)).to_contain_text(heading, timeout=within_seconds * 1000)
