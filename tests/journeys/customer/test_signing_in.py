"""Signing in: codes, locks, grants, sessions that end, and one person at two firms."""

from __future__ import annotations

import asyncio
import os
import re
import sys

import asyncpg
from playwright.async_api import Page, expect

from tests.journeys.conftest import House
from tests.journeys.customer import steps
from tests.journeys.customer.conftest import Axe
from tests.journeys.customer.firm import Firm, Person

GONE = 410
ENDED = 401


async def test_wrong_codes_cost_tries_and_then_lock_and_the_firm_is_told(page: Page, firm: Firm, axe: Axe) -> None:
    person = await firm.person()
    await firm.ask_to_pay(person)
    await page.goto(f"{firm.house.base_url}/customer/login")
    await steps.tell_who(page, person)
    [code] = await firm.codes(person)
    wrong = "000000" if code != "000000" else "111111"
    await page.fill("#code", "12 34")
    await page.click(steps.PRESS)
    await expect(page.locator(".problems")).to_contain_text("Enter the 6 digits")
    for left in ("4 tries", "3 tries", "2 tries", "1 try"):
        await page.fill("#code", wrong)
        await page.click(steps.PRESS)
        await expect(page.locator(".problems")).to_contain_text(f"You have {left} left")
    await axe(page)
    await page.fill("#code", wrong)
    await page.click(steps.PRESS)
    await steps.see(page, "Signing in is paused")
    await axe(page)
    await page.goto(f"{firm.house.base_url}/customer/login")
    await steps.tell_who(page, person)
    await steps.see(page, "Signing in is paused")
    locked = await firm.events("customerAuthentication.locked")
    assert person.customer_id in {event["data"]["customerId"] for event in locked}


async def test_a_grant_works_once_and_a_preview_does_not_use_it_up(page: Page, firm: Firm, axe: Axe) -> None:
    person = await firm.person()
    address = await firm.grant(person)
    preview = await firm.http.get(address)
    assert preview.headers["referrer-policy"] == "no-referrer"
    await page.goto(address)
    await expect(page).to_have_url(f"{firm.house.base_url}/customer/actions")
    await axe(page)
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == GONE
    await axe(page)


async def test_a_grant_is_too_old_after_thirty_seconds(page: Page, firm: Firm) -> None:
    person = await firm.person()
    address = await firm.grant(person)
    await _age(firm.house, "UPDATE login_grants SET issued_at = issued_at - interval '31 seconds' WHERE customer_id = $1", person)
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == GONE


async def test_a_session_warns_is_extended_ends_when_idle_and_says_what_was_kept(page: Page, firm: Firm, axe: Axe) -> None:
    person = await firm.person()
    request_id = await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    idle = (
        "UPDATE portal_sessions SET active_at = active_at - $2::int * interval '1 second', paused_until = NULL"
        " WHERE session_hash IN (SELECT session_hash FROM portal_session_records WHERE customer_id = $1)"
    )
    await page.clock.install()
    await page.goto(f"{firm.house.base_url}/customer/actions")
    await page.clock.fast_forward("04:10")
    await expect(page.locator("[data-session-warning]")).to_be_visible()
    await axe(page)
    await _age(firm.house, idle, person, 250)
    await page.get_by_role("button", name="Stay signed in").click()
    await expect(page.locator("[data-session-warning]")).to_be_hidden()
    await _age(firm.house, idle, person, 250)
    await page.goto(f"{firm.house.base_url}/customer/pay/{request_id}")  # had it not been extended, this would be too late
    await steps.see(page, "Choose your bank")
    await _age(firm.house, idle, person, 301)
    answer = await page.goto(f"{firm.house.base_url}/customer/actions")
    assert answer is not None
    assert answer.status == ENDED
    await steps.see(page, "You were signed out")
    await expect(page.locator("main")).to_contain_text("Nothing was paid or shared")
    await axe(page)


async def test_after_signing_out_nothing_is_shown_any_more(page: Page, firm: Firm, axe: Axe) -> None:
    person = await firm.person()
    await firm.ask_to_pay(person)
    await steps.come_from_app(page, firm, person)
    await page.get_by_role("button", name="Sign out").click()
    await steps.see(page, "You are signed out")
    await axe(page)
    await page.go_back()
    await steps.see(page, "Who are you?")


async def test_one_person_at_two_firms_sees_both_after_one_code_and_one_after_a_grant(
    page: Page, firm: Firm, house: House, axe: Axe
) -> None:
    made = await _strongroom(house, "firms", "create", "Birch & Vale LLP")
    other_firm_id = re.search(r"frm-\w+", made)
    assert other_firm_id
    client = await _strongroom(house, "clients", "create", "app", "--firm", other_firm_id[0])
    client_id, secret = re.search(r"cli-\w+", client), re.search(r"client_secret:\s+(\S+)", client)
    assert client_id
    assert secret
    other = Firm(house, client_id[0], secret[1])
    await other.sign_in()
    person = await firm.person()
    same = await other.person(like=person)
    await firm.ask_to_pay(person, description="Searches at the first firm")
    await other.ask_to_share(same)
    await steps.sign_in(page, firm, person)
    headings = page.get_by_role("heading", level=2)
    await expect(headings.filter(has_text="Finch").first).to_be_visible()
    await expect(headings.filter(has_text="Birch & Vale LLP").first).to_be_visible()
    await axe(page)
    await page.get_by_role("button", name="Sign out").click()
    await steps.come_from_app(page, other, same)
    await expect(page.locator("main")).not_to_contain_text("Searches at the first firm")
    await other.http.aclose()


async def _age(house: House, sql: str, person: Person, *values: int) -> None:
    """Make something of one customer older in the database, so that nobody else's clock moves."""
    connection = await asyncpg.connect(house.postgres_dsn)
    try:
        await connection.execute(sql, person.customer_id, *values)
    finally:
        await connection.close()


async def _strongroom(house: House, *words: str) -> str:
    """Run a command of the operator's against the running product."""
    environment = os.environ | {
        "STRONGROOM_ENVIRONMENT": "development",
        "STRONGROOM_BASE_URL": house.base_url,
        "STRONGROOM_DATABASE_URL": house.postgres_dsn,
        "STRONGROOM_SMS_GATEWAY": "inbox",
        "STRONGROOM_INBOX_URL": house.inbox_url,
        "STRONGROOM_BANKS_DIRECTORY": str(house.folder / "bank" / "tpp.json"),
        "STRONGROOM_KEYS_FILE": str(house.folder / "keys.json"),
        "STRONGROOM_AUDIT_ROOTS_FILE": str(house.folder / "audit-roots.jsonl"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "strongroom",
        *words,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
