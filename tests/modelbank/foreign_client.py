"""A third party written for these tests alone, with PyJWT, cryptography and httpx: it shares no code with bank or product."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import ssl
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import get_default_algorithms

from tests.moments import with_moments

REDIRECT_URI = "http://localhost:8199/callback"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OB = "http://openbanking.org.uk/"
PAYEE = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "20000055779911", "Name": "Wren Conveyancing"}
DETAILS = ["ReadAccountsDetail", "ReadParty", "ReadPartyPSU", "ReadBalances"]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def half_hash(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest()[:16])


def initiation(amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {
        "InstructionIdentification": uuid.uuid4().hex,
        "EndToEndIdentification": "E2E-1",
        "InstructedAmount": {"Amount": amount, "Currency": "GBP"},
        "CreditorAccount": PAYEE,
        "RemittanceInformation": {"Structured": [{"CreditorReferenceInformation": {"Reference": "WREN 4711"}}]},
        **more,
    }


def consent_body(amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {"Data": {"ReadRefundAccount": "Yes", "Initiation": initiation(amount, **more)}, "Risk": {}}


class Tpp:
    """One third party at one bank."""

    def __init__(self, folder: Path, bank: str, *, transport: str = "tpp-transport", client_id: str | None = None) -> None:
        self.about = json.loads((folder / "tpp.json").read_text())
        [self.bank] = [entry for entry in self.about["banks"] if entry["id"] == bank]
        self.issuer = self.bank["issuer"]
        self.client_id = client_id or self.about["client_id"]
        self.kid = self.about["signing_kid"]
        self.key: Any = load_pem_private_key((folder / self.about["signing_key"]).read_bytes(), None)
        context = ssl.create_default_context(cafile=str(folder / self.about["ca"]))
        if transport:
            context.load_cert_chain(folder / f"{transport}.crt", folder / f"{transport}.key")
        self.http = httpx.AsyncClient(verify=context, base_url=f"{self.issuer}/", timeout=20, trust_env=False)
        self.tokens: dict[str, str] = {}

    async def close(self) -> None:
        await self.http.aclose()

    # -- tokens

    def assertion(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.issuer}/token",
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + 60,
        }
        return self.sign({**claims, **changes})

    def sign(self, claims: dict[str, Any], *, key: Any = None, alg: str = "PS256", kid: str | None = None) -> str:
        claims = {name: value for name, value in with_moments(claims).items() if value is not None}
        return jwt.encode(claims, key or self.key, algorithm=alg, headers={"kid": kid or self.kid})

    async def post_token(self, **form: Any) -> httpx.Response:
        proof = {"client_assertion_type": ASSERTION, "client_assertion": form.pop("assertion", None) or self.assertion()}
        return await self.http.post("token", data={**proof, **form})

    async def push(self, claims: dict[str, Any] | None = None, **form: Any) -> httpx.Response:
        """Leave a request before the customer goes (RFC 9126)."""
        proof = {"client_assertion_type": ASSERTION, "client_assertion": self.assertion(aud=f"{self.issuer}/par")}
        request = {"request": self.sign(claims)} if claims else {}
        data = {name: value for name, value in {**proof, **request, **form}.items() if value is not None}
        return await self.http.post("par", data=data)

    async def pushed_query(self, claims: dict[str, Any]) -> str:
        left = await self.push(claims)
        assert left.status_code == 201, left.text
        return urlencode({"client_id": self.client_id, "request_uri": left.json()["request_uri"]})

    async def client_token(self, scope: str) -> str:
        if scope not in self.tokens:
            answer = await self.post_token(grant_type="client_credentials", scope=scope)
            assert answer.status_code == 200, answer.text
            self.tokens[scope] = answer.json()["access_token"]
        return self.tokens[scope]

    async def exchange(self, code: str, **changes: Any) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, **changes}
        return await self.post_token(**form)

    async def verify(self, token: str, **options: Any) -> dict[str, Any]:
        jwks = (await self.http.get("jwks")).json()
        kid = jwt.get_unverified_header(token)["kid"]
        [jwk] = [entry for entry in jwks["keys"] if entry["kid"] == kid]
        key = jwt.PyJWK.from_dict(jwk, algorithm="PS256").key
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["PS256"], audience=self.client_id, issuer=self.issuer, **options
        )
        return claims

    # -- resources

    def detached(self, body: bytes, header: dict[str, Any] | None = None, *, key: Any = None) -> str:
        protected = b64(json.dumps(header or self.jws_header()).encode())
        signature = get_default_algorithms()["PS256"].sign(f"{protected}.{b64(body)}".encode(), key or self.key)
        return f"{protected}..{b64(signature)}"

    def jws_header(self, *, without: str = "", **changes: Any) -> dict[str, Any]:
        header = {
            "alg": "PS256",
            "kid": self.kid,
            "typ": "JOSE",
            "cty": "application/json",
            f"{OB}iat": int(time.time()),
            f"{OB}iss": f"{self.about['org_id']}/{self.about['software_id']}",
            f"{OB}tan": "openbanking.org.uk",
            "crit": [f"{OB}iat", f"{OB}iss", f"{OB}tan"],
        }
        header.update({name.replace("ob_", OB): value for name, value in with_moments(changes).items()})
        header.pop(without.replace("ob_", OB), None)
        return header

    async def verify_response(self, answer: httpx.Response) -> None:
        protected, _, signature = answer.headers["x-jws-signature"].split(".")
        padded = [text + "=" * (-len(text) % 4) for text in (protected, signature)]
        header = json.loads(base64.urlsafe_b64decode(padded[0]))
        assert header["crit"] == [f"{OB}iat", f"{OB}iss", f"{OB}tan"]
        assert header[f"{OB}iss"] == self.bank["organisation_id"]
        assert "b64" not in header
        jwks = (await self.http.get("jwks")).json()
        key = jwt.PyJWK.from_dict(jwks["keys"][0], algorithm="PS256").key
        signed = f"{protected}.{b64(answer.content)}".encode()
        assert get_default_algorithms()["PS256"].verify(signed, key, base64.urlsafe_b64decode(padded[1]))

    async def post(self, path: str, content: Any, token: str, **headers: str | None) -> httpx.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        sent: dict[str, str | None] = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "x-idempotency-key": uuid.uuid4().hex,
            "x-jws-signature": self.detached(body),
            "x-fapi-interaction-id": str(uuid.uuid4()),
        }
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post(f"open-banking/v4.0/{path}", content=body, headers=kept)

    async def get(self, path: str, token: str, **headers: str) -> httpx.Response:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(f"open-banking/v4.0/{path}", headers={"authorization": f"Bearer {token}", **more})

    async def delete(self, path: str, token: str) -> httpx.Response:
        return await self.http.delete(f"open-banking/v4.0/{path}", headers={"authorization": f"Bearer {token}"})

    async def create_payment_consent(self, content: dict[str, Any]) -> str:
        answer = await self.post("pisp/domestic-payment-consents", content, await self.client_token("payments"))
        assert answer.status_code == 201, answer.text
        consent_id: str = answer.json()["Data"]["ConsentId"]
        return consent_id

    async def create_access_consent(self, permissions: list[str]) -> str:
        content = {"Data": {"Permissions": permissions}, "Risk": {}}
        answer = await self.post("aisp/account-access-consents", content, await self.client_token("accounts"))
        assert answer.status_code == 201, answer.text
        consent_id: str = answer.json()["Data"]["ConsentId"]
        return consent_id

    async def create_funds_consent(self, identification: str, **data: Any) -> str:
        account = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": identification}
        content = {"Data": {"DebtorAccount": account, **data}}
        token = await self.client_token("fundsconfirmations")
        answer = await self.post("cbpii/funds-confirmation-consents", content, token)
        assert answer.status_code == 201, answer.text
        consent_id: str = answer.json()["Data"]["ConsentId"]
        return consent_id

    # -- authorisation

    def request_claims(self, consent_id: str, scope: str = "payments", **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        id_token = {
            "openbanking_intent_id": {"essential": True, "value": consent_id},
            "acr": {"essential": True, "values": ["urn:openbanking:psd2:sca"]},
        }
        claims = {
            "iss": self.client_id,
            "aud": self.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 1800,
            "jti": secrets.token_hex(8),
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code id_token",
            "response_mode": "form_post",
            "scope": f"openid {scope}",
            "state": secrets.token_hex(8),
            "nonce": secrets.token_hex(8),
            "claims": {"id_token": id_token},
        }
        return {**claims, **changes}

    def authorize_query(self, claims: dict[str, Any], request: str | None = None, **outer: str) -> str:
        params = {
            "client_id": self.client_id,
            "response_type": claims["response_type"],
            "scope": claims["scope"],
            "request": request or self.sign(claims),
        }
        return urlencode({**params, **outer})

    def backchannel_claims(self, consent_id: str, resource: str = "payments", **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 300, "jti": secrets.token_hex(16)}
        asked = {"scope": f"openid {resource}", "openbanking-intent-id": consent_id, "binding_message": "WREN 4711"}
        return {"iss": self.client_id, "aud": self.issuer, **times, **asked, **changes}

    async def post_backchannel(self, request: str | None, **outer: str) -> httpx.Response:
        proof = {"client_assertion_type": ASSERTION, "client_assertion": self.assertion(aud=f"{self.issuer}/bc-authorize")}
        form = {**proof, **({} if request is None else {"request": request}), **outer}
        return await self.http.post("bc-authorize", data=form)

    async def ask_backchannel(self, consent_id: str, resource: str = "payments", **changes: Any) -> str:
        answer = await self.post_backchannel(self.sign(self.backchannel_claims(consent_id, resource, **changes)))
        assert answer.status_code == 200, answer.text
        auth_req_id: str = answer.json()["auth_req_id"]
        return auth_req_id

    async def poll(self, auth_req_id: str) -> httpx.Response:
        return await self.post_token(grant_type="urn:openid:params:grant-type:ciba", auth_req_id=auth_req_id)


class Browser:
    """A customer's browser without JavaScript: it follows links, keeps cookies and fills in forms."""

    def __init__(self, pages_port: int, bank: str) -> None:
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{pages_port}", timeout=20, trust_env=False)
        self.bank = bank
        self.page: httpx.Response

    async def close(self) -> None:
        await self.http.aclose()

    async def open(self, path: str) -> httpx.Response:
        return await self._follow(await self.http.get(path if path.startswith("/b/") else f"/b/{self.bank}{path}"))

    async def submit(self, fields: dict[str, Any], *, form: int = 0) -> httpx.Response:
        """Submit a form of the page; hidden fields go with it."""
        markup = re.findall(r"<form.*?</form>", self.page.text, re.DOTALL)[form]
        action = re.search(r'action="([^"]*)"', markup)
        assert action is not None
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', markup))
        sent = {name: html.unescape(value) for name, value in hidden.items()}
        return await self._follow(await self.http.post(html.unescape(action[1]), data={**sent, **fields}))

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        while answer.status_code == 303 and answer.headers["location"].startswith("/"):
            answer = await self.http.get(answer.headers["location"])
        self.page = answer
        return answer

    def returned(self, back_to: str = REDIRECT_URI) -> dict[str, str]:
        """Read what the page sends back to the client, in whichever way it does."""
        location = self.page.headers.get("location", "")
        if location:
            parts = urlsplit(location)
            assert location.startswith(back_to)
            return dict(parse_qsl(parts.fragment or parts.query))
        assert f'action="{back_to}"' in self.page.text, self.page.text
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', self.page.text)
        return {name: html.unescape(value) for name, value in found}

    async def sign_in(self, username: str) -> httpx.Response:
        return await self.submit({"username": username, "password": "pretend"})

    async def choose(self, *places: int) -> httpx.Response:
        accounts = re.findall(r'name="account" value="([^"]*)"', self.page.text)
        return await self.submit({"account": [accounts[place] for place in places or (0,)]})

    async def answer_on_phone(self, consent_id: str, username: str = "alex") -> httpx.Response:
        """Walk through every page that a scanned code leads to, and agree."""
        await self.open(f"/phone?consent={consent_id}")
        await self.sign_in(username)
        await self.choose()
        return await self.submit({})

    async def agree(
        self, query: str, username: str = "alex", accounts: tuple[int, ...] = (0,), back_to: str = REDIRECT_URI
    ) -> dict[str, str]:
        """Walk through every page and return what goes back to the client."""
        await self.open(f"/authorize?{query}")
        await self.sign_in(username)
        await self.choose(*accounts)
        await self.submit({})
        return self.returned(back_to)
