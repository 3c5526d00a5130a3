"""Runs the official manifest against a bank in headless mode, as the official suite does: its tokens, its headers, its order."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx

from tests.conformance.assertions import find, unmet
from tests.conformance.manifest import Script, Suite, substitute
from tests.conformance.outcomes import Outcome
from tests.modelbank.foreign_client import PAYEE, Browser, Tpp
from tests.modelbank.test_official_shapes import check

CONTEXT = {
    "creditorScheme": PAYEE["SchemeName"],
    "creditorIdentification": PAYEE["Identification"],
    "creditorName": PAYEE["Name"],
    "instructedAmountValue": "1.00",
    "instructedAmountCurrency": "GBP",
}
_ALWAYS = {"x_fapi_financial_id": "0015800000MULBR", "x_fapi_customer_ip_address": "192.0.2.1"}


class OfficialRun:
    """One pass through the manifest."""

    def __init__(self, suite: Suite, tpp: Tpp, browser: Browser) -> None:
        self._suite = suite
        self._tpp = tpp
        self._browser = browser
        self._kept = dict(CONTEXT)
        self._customer_tokens: dict[str, str] = {}

    async def run(self) -> list[Outcome]:
        """Run every test in the manifest's order: later ones use what earlier ones kept."""
        return [await self._outcome(script) for script in self._suite.scripts]

    async def _outcome(self, script: Script) -> Outcome:
        names = script.names(self._kept)
        answer = await self._send(script, names)
        part, title = str(script.said["uriImplementation"]), str(script.said["description"]).rstrip(".")
        if answer.status_code == httpx.codes.NOT_FOUND and not script.is_mandatory:
            remark = f"the bank has no {script.endpoint}, and answers 404 as the standard wants"
            return Outcome(part, script.id, title, "skipped", remark)
        wrong = await self._judge(script, answer, names)
        if not wrong:
            await self._keep(script, answer, names)
        return Outcome(part, script.id, title, "failed" if wrong else "passed", "; ".join(wrong))

    async def _send(self, script: Script, names: Mapping[str, str]) -> httpx.Response:
        path = f"pisp{substitute(script.said['uri'], names)}"
        token = await self._token(script, names)
        if not script.is_post:
            return await self._tpp.get(path, token, **_ALWAYS)
        body = self._suite.body(script, names)
        [without] = script.said.get("removeSignatureClaims", [""])
        header = self._tpp.jws_header(without=f"ob_{without}")
        headers: dict[str, str | None] = {**_ALWAYS, "x_jws_signature": self._tpp.detached(body, header)}
        headers |= {name.replace("-", "_"): None for name in script.said.get("removeHeaders", ())}
        return await self._tpp.post(path, body, token, **headers)

    async def _token(self, script: Script, names: Mapping[str, str]) -> str:
        """Choose as the official suite does: a customer's token to confirm funds and to pay, else the client's own."""
        of_customer = script.said["uri"].endswith("/funds-confirmation") or (script.is_post and "consents" not in script.endpoint)
        client_token = await self._tpp.client_token(script.parameters["tokenRequestScope"])
        return self._customer_tokens.get(names.get("consentId", ""), client_token) if of_customer else client_token

    async def _judge(self, script: Script, answer: httpx.Response, names: Mapping[str, str]) -> list[str]:
        wrong = [words for name in script.said["asserts"] for words in unmet(self._suite.assertions[name], answer, names)]
        choices = [unmet(self._suite.assertions[name], answer, names) for name in script.said.get("asserts_one_of", ())]
        if choices and all(choices):
            wrong.append("none of " + ", ".join(script.said["asserts_one_of"]))
        try:
            if script.said.get("schemaCheck"):
                check("payment-initiation", _template(script), answer)
            if script.said.get("validateSignature"):
                await self._tpp.verify_response(answer)
        except Exception as off:  # noqa: BLE001  # whatever a validator raises is the outcome of this test, not of the run
            wrong.append(f"{type(off).__name__}: {str(off)[:200]}")
        return wrong

    async def _keep(self, script: Script, answer: httpx.Response, names: Mapping[str, str]) -> None:
        """Keep what later tests ask for, and let the customer agree where the manifest wants it."""
        self._kept |= {name: names[name] for name in script.parameters if name.startswith(script.id)}
        if kept := script.said.get("keepContextOnSuccess"):
            self._kept[kept["name"]] = find(answer, kept["value"]) or ""
        if script.parameters.get("requestConsent") == "true":
            consent_id = json.loads(answer.content)["Data"]["ConsentId"]
            self._customer_tokens[consent_id] = await self._agree(consent_id)

    async def _agree(self, consent_id: str) -> str:
        query = self._tpp.authorize_query(self._tpp.request_claims(consent_id, response_mode="fragment"))
        await self._browser.open(f"/authorize?{query}")
        answer = await self._tpp.exchange(self._browser.returned()["code"])
        return str(answer.json()["access_token"])


def _template(script: Script) -> str:
    """Return the document's path of a test: its own names are the manifest's, not the document's."""
    uri = str(script.said["uri"])
    return uri.replace("$consentId", "{ConsentId}").replace("$paymentId", "{DomesticPaymentId}")
