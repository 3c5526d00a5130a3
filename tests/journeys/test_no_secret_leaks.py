"""After a whole journey, nothing secret and nothing personal stands in logs, the database's dump, metrics or refusals.

The journey plants what must not be found: every secret that was handed out, and a person made up for this test alone. Then
everything that the product wrote is searched for each of them, in plain and in disguise.
"""

from __future__ import annotations

import asyncio
import base64
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.journeys.canaries import Canaries, control, dump_of, files_of, whole, written_by
from tests.journeys.conftest import House
from tests.journeys.plain_browser import PlainBrowser, forms_of, links_of

WAIT_SECONDS = 60.0
BANK, BANK_USER = "mulberry", "alex"
RECEIVING_ACCOUNT = "55779911"  # the demo firm's; only its end may be kept in the clear
BANKS_OWN = {"account holder", "account number", "name"}  # and the `state` of a return, which comes back from there


@dataclass
class Journey:
    """One customer and one firm, going the whole way."""

    house: House
    api: httpx.AsyncClient
    browser: PlainBrowser
    canaries: Canaries = field(default_factory=Canaries)
    refusals: list[httpx.Response] = field(default_factory=list)
    case_id: str = ""
    customer_id: str = ""
    email: str = ""
    born: date = date(1980, 1, 1)
    phone: str = ""

    async def call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Call the API as the firm."""
        answer = await self.api.request(method, f"/api/1.0/{path}", **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, method: str, path: str, **more: Any) -> None:
        """Do something that is refused, and keep what was said."""
        answer = await self.api.request(method, path, **more)
        assert answer.is_error, f"{method} {path} → {answer.status_code}"
        self.refusals.append(answer)

    async def take_token(self) -> None:
        secret = self.canaries.add("client secret", self.house.client_secret)
        body = {"grant_type": "client_credentials", "client_id": self.house.client_id, "client_secret": secret}
        answers = [await self.api.post("/token", json=body), await self.api.post("/token", data=body)]
        first, second = (answer.json()["access_token"] for answer in answers)
        self.canaries.add("second access token", second)
        self.api.headers["authorization"] = f"Bearer {self.canaries.add('access token', first)}"

    async def open_case(self) -> None:
        """Open a case for a person who exists nowhere else."""
        digits = f"{random.randrange(10**8):08d}"
        self.phone = self.canaries.add("phone", f"4474{digits}")
        self.canaries.add("phone as dialled", f"074{digits}")
        self.email = self.canaries.add("e-mail", f"quillon.{uuid4().hex[:12]}@example.com")
        self.canaries.add("e-mail's own part", self.email.partition("@")[0])
        name = self.canaries.add("name", f"Quillon Featherstone{uuid4().hex[:8]}")
        self.canaries.add("family name", name.split()[1])
        self.born = date(1931, 1, 1).replace(
            year=random.randrange(1931, 1949), month=random.randrange(1, 13), day=random.randrange(13, 29)
        )
        for form in ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%d.%m.%Y", "%d %B %Y"):
            self.canaries.add(f"date of birth {form}", self.born.strftime(form))
        person = {"name": name, "email": self.email, "dateOfBirth": self.born.isoformat(), "phone": self.phone}
        key = {"Idempotency-Key": self.canaries.add("idempotency key", uuid4().hex)}
        made = await self.call("POST", "cases", json={"caseRef": "LEAKS1", "customers": [person]}, headers=key)
        self.case_id, self.customer_id = made["id"], made["customers"][0]["id"]
        assert (await self.call("GET", f"customers/{self.customer_id}"))["email"] == self.email

    async def listen(self) -> None:
        """Add an endpoint at an address where nobody answers, so that failures are written down too."""
        url = f"http://127.0.0.1:9/hooks?key={self.canaries.add('key in a webhook address', uuid4().hex)}"
        made = await self.call("POST", "webhookEndpoints", json={"url": url})
        secret = self.canaries.add("webhook secret", made["secret"])
        self.canaries.add("webhook secret without prefix", secret.removeprefix("whsec_"))
        turned = await self.call("POST", f"webhookEndpoints/{made['id']}/rotate", json={})
        self.canaries.add("second webhook secret", turned["secret"])
        await self.call("POST", f"webhookEndpoints/{made['id']}/test")

    async def sign_in(self) -> None:
        """Sign in by code, after two wrong ones."""
        page = await self.browser.go("/customer/login")
        who = {"email": self.email, "day": str(self.born.day), "month": str(self.born.month), "year": str(self.born.year)}
        page = await self.browser.send(page, "/customer/login", **who)
        code = await self._code()
        for by in (1, 2):
            wrong = self.canaries.add(f"wrong code {by}", f"{(int(code) + by) % 1_000_000:06d}")
            page = await self.browser.send(page, "/customer/code", code=wrong)
            self.refusals.append(page)
        page = await self.browser.send(page, "/customer/code", code=code)
        assert page.url.path == "/customer/actions", page.text
        self.keep_cookies("after the code")

    async def _code(self) -> str:
        for _ in range(round(WAIT_SECONDS / 0.2)):
            messages = (await self.api.get(f"{self.house.inbox_url}/messages", params={"to": self.phone})).json()
            for message in messages:
                if found := re.match(r"\d{6}", message["text"]):
                    return self.canaries.add("login code", found[0])
            await asyncio.sleep(0.2)
        raise AssertionError("no code came")

    async def pay(self) -> None:
        new = {"caseId": self.case_id, "reference": "LEAKS1.1", "description": "Opening fee", "amount": "100.00"}
        request_id = (await self.call("POST", "creditRequests", json=new))["id"]
        page = await self.browser.go(f"/customer/pay/{request_id}/check?bank={BANK}")
        page = await self._through_bank(await self.browser.send(page, "/customer/pay/"))
        assert page.url.path.startswith("/customer/payments/"), page.text
        self.refusals.append(page)  # it is no refusal, but people leave it open on a desk
        await self._until(f"creditRequests/{request_id}", "completed", "received")
        await self.browser.go(f"{page.url}/receipt")

    async def share(self) -> None:
        request_id = (await self.call("POST", "customerAccountRequests", json={"caseId": self.case_id}))["id"]
        page = await self.browser.go(f"/customer/share/{request_id}/check?bank={BANK}")
        page = await self._through_bank(await self.browser.send(page, "/customer/share/"))
        if page.request.url.path == "/customer/return":
            page = await self.browser.send(page, "/customer/return/finish")
        share = page.url.path
        assert share.startswith("/customer/shares/"), page.text
        for _ in range(round(WAIT_SECONDS / 0.5)):
            page = await self.browser.go(share)
            if f"{share}/account" in page.text:
                await self.browser.send(page, f"{share}/account")
            if (await self.call("GET", f"customerAccountRequests/{request_id}"))["status"] == "completed":
                break
            await asyncio.sleep(0.5)
        account = (await self.call("GET", f"customerAccountRequests/{request_id}"))["results"][0]["account"]
        number, sort_code = self.canaries.add("account number", account["accountNumber"]), account["sortCode"].replace("-", "")
        self.canaries.add("sort code and account number", f"{sort_code}{number}")
        self.canaries.add("account holder", account["accountName"])

    async def _through_bank(self, page: httpx.Response) -> httpx.Response:
        """Go to the bank, sign in, choose, agree, and let the bank's page post us back."""
        away = next(link for link in links_of(page) if f"{BANK}.localhost" in link)
        page = await self.browser.go(away)
        page = await self.browser.send(page, "/sign-in/", username=BANK_USER, password="pretend")
        page = await self.browser.send(page, "/accounts/")
        page = await self.browser.send(page, "/confirm/")
        fields = {**next(form for form in forms_of(page) if "/customer/return" in form.action).fields}
        for name in ("state", "code", "id_token"):
            if name in fields:
                self.canaries.add(f"{name} of {page.url.path}", fields[name])
        return await self.browser.send(page, "/customer/return")

    async def _until(self, path: str, *states: str) -> None:
        for _ in range(round(WAIT_SECONDS / 0.5)):
            if (await self.call("GET", path))["status"] in states:
                return
            await asyncio.sleep(0.5)
        raise AssertionError(f"{path} is {await self.call('GET', path)}")

    async def come_from_app(self) -> None:
        """Use a login grant, then try it again."""
        body = {"grant_type": "customer_login", "caseId": self.case_id, "customerId": self.customer_id}
        grant = self.canaries.add("login grant", (await self.call("POST", "customerLoginGrant", json=body))["grantToken"])
        app = PlainBrowser(self.house.base_url)
        page = await app.go(f"/customer/grant/{grant}")
        self.keep_cookies("before the grant is used", app)
        page = await app.send(page, "/customer/grant/")
        assert page.url.path == "/customer/actions"
        self.keep_cookies("after the grant", app)
        self.refusals.append(await PlainBrowser(self.house.base_url).go(f"/customer/grant/{grant}"))

    async def go_on_with_a_phone(self) -> None:
        """Take a payment to a phone, and try its code again."""
        new = {"caseId": self.case_id, "reference": "LEAKS1.2", "description": "Searches", "amount": "45.00"}
        request_id = (await self.call("POST", "creditRequests", json=new))["id"]
        choice = await self.browser.go(f"/customer/pay/{request_id}")
        found = re.search(r"data-phone-address>[^<]+/customer/on-phone/(\w+)<", choice.text)
        follow = re.search(r'href="(/customer/handed-over/[\w-]+)"', choice.text)
        assert found is not None
        assert follow is not None
        token = self.canaries.add("hand-off token", found[1])
        phone = PlainBrowser(self.house.base_url)
        shown = await phone.send(await phone.go(f"/customer/on-phone/{token}"), "/customer/on-phone/")
        self.keep_cookies("before the phone was confirmed", phone)
        number = re.search(r'big-number">(\d{4})<', shown.text)
        assert number is not None
        await self.browser.send(await self.browser.go(follow[1]), follow[1], number=number[1])
        gone_on = await phone.go(str(shown.url))
        assert gone_on.url.path == f"/customer/pay/{request_id}", gone_on.text
        self.keep_cookies("of the phone", phone)
        self.refusals.append(await PlainBrowser(self.house.base_url).go(f"/customer/on-phone/{token}"))

    def keep_cookies(self, when: str, browser: PlainBrowser | None = None) -> None:
        for number, value in enumerate((browser or self.browser).cookies()):
            self.canaries.add(f"cookie {number} {when}", value)

    async def go_wrong(self) -> None:
        """Send what is refused, with what must not be found in every place."""
        wrong_secret = self.canaries.add("wrong client secret", uuid4().hex)
        body = {"grant_type": "client_credentials", "client_id": self.house.client_id, "client_secret": wrong_secret}
        token, email, born = (self.canaries.texts[name] for name in ("access token", "e-mail", "date of birth %Y-%m-%d"))
        await self.refused("POST", "/token", json=body)
        await self.refused("POST", "/token", content=f"{{{self.canaries.texts['client secret']}")
        await self.refused("POST", "/token", auth=(self.house.client_id, wrong_secret), data={"grant_type": "client_credentials"})
        for text in (token, email, born, self.phone, self.canaries.texts["login grant"], self.canaries.texts["name"]):
            await self.refused("GET", f"/api/1.0/cases/{quote(text, safe='')}")
            await self.refused("GET", f"/api/1.0/{quote(text, safe='')}?q={quote(text, safe='')}")
            await self.refused("POST", "/api/1.0/cases", content=f'{{"caseRef": "{text}", "customers": [{{"name": "{text}",')
            await self.refused("POST", "/api/1.0/cases", json={"caseRef": {text: text}, text: text})
            await self.refused("GET", "/api/1.0/cases", params={"createdAfter": text})
            await self.refused("GET", "/api/1.0/cases", params={"limit": text})
            await self.refused(
                "POST", "/api/1.0/creditRequests", json={"caseId": text, "reference": "R", "description": "D", "amount": text}
            )
            await self.refused("GET", f"/customer/{quote(text, safe='')}")
            await self.refused("GET", f"/customer/grant/{quote(text, safe='')}")
            await self.refused("GET", "/customer/return", params={"state": text, "code": text})
        person = {"name": self.canaries.texts["name"], "email": email, "dateOfBirth": f"{born}x", "phone": f"{self.phone}x"}
        await self.refused("POST", "/api/1.0/cases", json={"caseRef": "LEAKS2", "customers": [person]})
        key = {"Idempotency-Key": self.canaries.texts["idempotency key"]}
        await self.refused(
            "POST", "/api/1.0/cases", json={"caseRef": "other", "customers": [{**person, "dateOfBirth": born}]}, headers=key
        )
        await self.refused("GET", "/api/1.0/cases", headers={"authorization": f"Bearer {token}, Bearer {wrong_secret}"})


@pytest.fixture
async def journey(house: House) -> AsyncIterator[Journey]:
    """Go the whole way once."""
    async with httpx.AsyncClient(base_url=house.base_url, timeout=30) as api:
        made = Journey(house, api, PlainBrowser(house.base_url))
        made.canaries.add("receiving account", RECEIVING_ACCOUNT)
        await made.take_token()
        await made.listen()
        await made.open_case()
        await made.call("POST", "customerAuthentications", json={"caseId": made.case_id, "customerId": made.customer_id})
        await made.sign_in()
        await made.pay()
        await made.share()
        await made.go_on_with_a_phone()
        await made.come_from_app()
        await made.go_wrong()
        yield made
        await made.browser.http.aclose()


async def test_not_even_the_databases_files_and_write_ahead_log_hold_it_in_the_clear(journey: Journey) -> None:
    house, canaries = journey.house, journey.canaries
    connection = await asyncpg.connect(house.postgres_dsn)
    ours = f"base/{await connection.fetchval('SELECT oid FROM pg_database WHERE datname = current_database()')}/"
    await connection.execute("CHECKPOINT")
    await connection.close()
    files = await asyncio.to_thread(lambda: dict(files_of(house)))
    held = {name for name, content in files.items() if journey.case_id.encode() in content}
    assert any(name.startswith(ours) for name in held), "the journey's own case must be found in the tables"
    assert any(name.startswith("pg_wal/") for name in held), "and in the log"
    patterns = {name: (text.encode(), whole(text.encode(), digits=text.isdigit())) for name, text in canaries.texts.items()}
    found = [
        (where, name)
        for where, content in files.items()
        for name, (plain, pattern) in patterns.items()
        if plain in content and re.search(pattern, content)
    ]
    # The model bank has a database of its own in the same cluster, and so in the same log: what it may know is its own affair.
    of_the_bank = {name for where, name in found if where.startswith("base/") and not where.startswith(ours)}
    assert {name for name in of_the_bank if not name.startswith("state of")} <= BANKS_OWN
    assert [one for one in found if one[0].startswith(ours) or (one[0].startswith("pg_wal/") and one[1] not in of_the_bank)] == []


async def test_after_a_whole_journey_no_secret_and_nobody_stands_in_logs_dump_metrics_or_refusals(
    journey: Journey, tmp_path: Path
) -> None:
    house, canaries = journey.house, journey.canaries
    assert len(canaries.texts) > 30
    places = dict(written_by(house))
    assert {"log/web.log", "log/worker.log", "log/modelbank.log"} <= places.keys()
    places["dump"] = dump_of(house, tmp_path)
    assert journey.case_id.encode() in places["dump"]
    metrics = await journey.api.get("/metrics")
    places["metrics"] = metrics.content + repr(metrics.headers).encode()
    found = [one for where, content in places.items() for one in canaries.found_in(where, content)]
    for answer in journey.refusals:
        where = f"{answer.request.method} {answer.request.url.path} → {answer.status_code}"
        told = answer.content + "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
        found += canaries.found_in(where, told)
    assert not found, "\n".join(found)
    control(canaries, places)


@pytest.mark.parametrize("text", ["someone@example.com", "40123456", "whsec_abc/def+ghi=", "1935-04-17"])
def test_a_planted_line_is_found_in_every_disguise(text: str) -> None:
    canaries = Canaries({"planted": text})
    plain = text.encode()
    hidden = {
        "plain": plain,
        "reversed": plain[::-1],
        "hex": plain.hex().upper().encode(),
        "base64": base64.b64encode(plain),
        "base64 behind a name": base64.b64encode(b"user:" + plain + b"!"),
        "base64 for addresses": base64.urlsafe_b64encode(b"x" + plain),
        "URL-encoded": quote(text, safe="").encode(),
        "UTF-16": text.encode("utf-16"),
        "spaced": " ".join(text).encode(),
        "dashed": "-".join(text).encode(),
    }
    for name, line in hidden.items():
        assert canaries.found_in("a log", b"at=12 value=" + line + b" more=1"), name
    assert not canaries.found_in("a log", b"2026-11-21T12:00:00.40123456Z id=140123456 deadbeef40123456deadbeef")
