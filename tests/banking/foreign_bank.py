"""A small UK bank of another make: PyJWT instead of the product's JOSE library, a bare socket server instead of a framework.

Its answers are right unless a test says otherwise through `answers`, `token_changes` or `signature_changes`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.moments import with_moments

PREFIX = "/open-banking/v4.0"
PS256 = jwt.get_algorithm_by_name("PS256")
OB = "http://openbanking.org.uk/"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def half_hash(text: str) -> str:
    return b64(hashlib.sha256(text.encode("ascii")).digest()[:16])


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    certificate: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


class Lost(Exception):
    """Close the connection without an answer."""


class Certificates:
    """An authority of the test's own, with certificates for a server and for two clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        ca = self._build(self._ca_name, self._ca_key.public_key(), is_ca=True).sign(self._ca_key, hashes.SHA256())
        (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.issue("server")
        self.issue("transport")

    def issue(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = self._build(subject, key.public_key(), is_ca=False).add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        certificate = builder.sign(self._ca_key, hashes.SHA256())
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(private_pem(key))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.folder / "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _build(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )


def private_pem(key) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def jwk_of(key, kid: str) -> dict:
    algorithm = PS256 if isinstance(key, rsa.RSAPrivateKey) else jwt.get_algorithm_by_name("ES256")
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


class ForeignBank:
    """One bank on a real TLS socket, with the tables that a test looks into."""

    def __init__(self, organisation_id: str, key: rsa.RSAPrivateKey, tpp_key: rsa.RSAPublicKey) -> None:
        self.organisation_id = organisation_id
        self.key = key
        self.kid = f"{organisation_id}-key"
        self.tpp_key = tpp_key
        self.client_id = "client-1"
        self.issuer = ""
        self.leeway_seconds = 0.0  # raised by tests that set our side's clock forward
        self.modes = ["fragment", "form_post"]
        self.types = ["code id_token"]
        self.demands_pushes = False
        self.aliases: dict[str, str] = {}
        self.pushed: dict[str, str] = {}  # request objects by their reference, until they are used
        self.keys = [jwk_of(key, self.kid)]
        self.assertions: set[str] = set()
        self.asked: list[Asked] = []
        self.consents: dict[str, dict] = {}
        self.payments: dict[str, dict] = {}
        self.by_key: dict[str, str] = {}
        self.codes: dict[str, dict] = {}
        self.tokens: dict[str, dict] = {}
        self.account_pages: list[list[dict]] = [[]]
        self.parties: dict[str, dict | list] = {}
        self.initial_status = "RCVD"
        self.answers: dict[tuple[str, str], Callable[[Asked], Reply]] = {}
        self.token_changes: dict[str, object] = {}
        self.sign_token: Callable[[dict], str] = lambda claims: jwt.encode(claims, self.key, "PS256", {"kid": self.kid})
        self.sign_answer: Callable[[bytes], str | None] = self.signature

    # --- the socket ------------------------------------------------------------------------------------------------

    async def start(self, certificates: Certificates) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=certificates.server_context())
        self.port = self._server.sockets[0].getsockname()[1]
        self.issuer = f"https://localhost:{self.port}/{self.organisation_id}"

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, Lost):
            asked = await self._read(reader, writer)
            reply = self._reply(asked)
            await asyncio.sleep(reply.delay_seconds)
            head = {"content-length": str(len(reply.body)), "content-type": "application/json", **reply.headers}
            lines = [f"HTTP/1.1 {reply.status} X", "connection: close", *(f"{name}: {value}" for name, value in head.items())]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        parts = urlsplit(target)
        path = parts.path.removeprefix(f"/{self.organisation_id}")
        return Asked(method, path, dict(parse_qsl(parts.query)), headers, body, certificate)

    def _reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        own = self.answers.get((asked.method, asked.path))
        return own(asked) if own else self.usual(asked)

    # --- what a right bank answers -----------------------------------------------------------------------------------

    def usual(self, asked: Asked) -> Reply:  # noqa: C901, PLR0911 - a table of routes reads best whole
        match asked.method, asked.path.removeprefix(PREFIX).strip("/").split("/"):
            case "GET", [".well-known", "openid-configuration"]:
                return self.said(self.discovery())
            case "GET", ["keys"]:
                return self.said({"keys": self.keys})
            case "POST", ["token"]:
                return self.token(asked)
            case "POST", ["par"]:
                return self.push(asked)
            case "POST", ["pisp", "domestic-payment-consents"]:
                return self.create_consent(asked, "payments")
            case "GET", ["pisp", "domestic-payment-consents", consent_id]:
                return self.signed({"Data": {"ConsentId": consent_id, **self.consents[consent_id]}})
            case "POST", ["pisp", "domestic-payments"]:
                return self.create_payment(asked)
            case "GET", ["pisp", "domestic-payments", payment_id]:
                return self.signed({"Data": self.payments[payment_id]})
            case "POST", ["aisp", "account-access-consents"]:
                return self.create_consent(asked, "accounts")
            case "DELETE", ["aisp", "account-access-consents", consent_id]:
                return Reply(204) if self.consents.pop(consent_id, None) else self.error(400, "U011")
            case "GET", ["aisp", "accounts"]:
                return self.accounts(asked)
            case "GET", ["aisp", "accounts", account_id, ("party" | "parties") as kind]:
                party = self.parties.get(f"{account_id}/{kind}")
                return self.said({"Data": {"Party": party}}) if party else Reply(404)
        return Reply(404)

    def discovery(self) -> dict:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorise",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": self.types,
            "response_modes_supported": self.modes,
            "pushed_authorization_request_endpoint": f"{self.issuer}/par",
            "require_pushed_authorization_requests": self.demands_pushes,
            "mtls_endpoint_aliases": self.aliases,
        }

    def push(self, asked: Asked) -> Reply:
        """Keep a request until it is used (RFC 9126 §2.1): nothing may stand beside it but what proves who sent it."""
        form = self.authenticated(asked, self.issuer)
        assert form.keys() == {"client_id", "client_assertion", "client_assertion_type", "request"}
        self.request_object(form["request"])
        reference = f"urn:ietf:params:oauth:request_uri:{len(self.pushed)}+{len(self.asked)}"
        self.pushed[reference] = form["request"]
        return self.said({"request_uri": reference, "expires_in": 60}, 201)

    def token(self, asked: Asked) -> Reply:
        form = self.authenticated(asked, f"{self.issuer}/token")
        if form["grant_type"] == "client_credentials":
            return self.issue_token({"scope": form["scope"], "grant": "client"})
        return self.exchange(form)

    def authenticated(self, asked: Asked, audience: str) -> dict[str, str]:
        form = dict(parse_qsl(asked.body.decode()))
        assertion = jwt.decode(
            form["client_assertion"],
            self.tpp_key,
            ["PS256"],
            audience=audience,
            issuer=self.client_id,
            leeway=self.leeway_seconds,
        )
        assert assertion["sub"] == form["client_id"] == self.client_id
        assert assertion["jti"] not in self.assertions
        self.assertions.add(assertion["jti"])
        assert asked.certificate
        return form

    def exchange(self, form: dict[str, str]) -> Reply:
        given = self.codes.pop(form["code"], None)
        if given is None or given["redirect_uri"] != form["redirect_uri"]:
            return self.said({"error": "invalid_grant"}, 400)
        assert given["code_challenge"] == b64(hashlib.sha256(form["code_verifier"].encode()).digest())
        return self.issue_token(
            {"scope": given["scope"], "grant": "customer", "consent_id": given["consent_id"]},
            id_token=self.id_token(given["consent_id"], given["nonce"]),
        )

    def issue_token(self, right: dict, **more: str) -> Reply:
        token = b64(hashlib.sha256(f"{len(self.tokens)}".encode()).digest())
        self.tokens[token] = right
        return self.said({"access_token": token, "token_type": "Bearer", "expires_in": 300, **more})

    def create_consent(self, asked: Asked, scope: str) -> Reply:
        assert self.right(asked) == {"scope": scope, "grant": "client"}
        if scope == "payments":
            self.check_signature(asked)
        consent_id = self.by_key.setdefault(
            asked.headers.get("x-idempotency-key", f"none-{len(self.consents)}"), f"{scope}-{len(self.consents)}"
        )
        self.consents.setdefault(consent_id, {**asked.json["Data"], "Risk": asked.json["Risk"], "Status": "AWAU"})
        body = {"Data": {"ConsentId": consent_id, "Status": "AWAU"}}
        return self.signed(body, 201) if scope == "payments" else self.said(body, 201)

    def create_payment(self, asked: Asked) -> Reply:
        self.check_signature(asked)
        right, data = self.right(asked), asked.json["Data"]
        consent = self.consents[data["ConsentId"]]
        assert right["grant"] == "customer"
        assert right["consent_id"] == data["ConsentId"]
        assert data["Initiation"] == consent["Initiation"]
        assert asked.json["Risk"] == consent["Risk"]
        payment_id = self.by_key.setdefault(asked.headers["x-idempotency-key"], f"pay-{len(self.payments)}")
        consent["Status"] = "COND"
        payment = self.payments.setdefault(
            payment_id,
            {
                "DomesticPaymentId": payment_id,
                "ConsentId": data["ConsentId"],
                "Status": self.initial_status,
                "StatusUpdateDateTime": "2026-01-02T03:04:05+00:00",
                "Debtor": {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "11223312345678", "Name": "A Payer"},
            },
        )
        return self.signed({"Data": payment}, 201)

    def accounts(self, asked: Asked) -> Reply:
        assert self.right(asked)["grant"] == "customer"
        page = int(asked.query.get("page", 0))
        links = {"Self": f"{self.issuer}{PREFIX}/aisp/accounts"}
        if page + 1 < len(self.account_pages):
            links["Next"] = f"{links['Self']}?page={page + 1}"
        return self.said({"Data": {"Account": self.account_pages[page]}, "Links": links, "Meta": {}})

    def right(self, asked: Asked) -> dict:
        assert asked.certificate
        return self.tokens[asked.headers["authorization"].removeprefix("Bearer ")]

    # --- the customer at the bank's pages ------------------------------------------------------------------------------

    def agree(self, url: str) -> dict[str, str]:
        """Read the authorisation URL as the bank does, and return the fields that come back with the customer."""
        asked = self.authorisation(url)
        code = b64(hashlib.sha256(asked["nonce"].encode()).digest())
        consent_id = asked["claims"]["id_token"]["openbanking_intent_id"]["value"]
        self.consents[consent_id]["Status"] = "AUTH"
        scope = asked["scope"].removeprefix("openid ")
        self.codes[code] = {**asked, "consent_id": consent_id, "scope": scope}
        fields = {"code": code, "state": asked["state"]}
        if "id_token" in asked["response_type"]:
            fields["id_token"] = self.id_token(consent_id, asked["nonce"], code, asked["state"])
        return self.delivered(asked, fields)

    def delivered(self, asked: dict, fields: dict[str, str]) -> dict[str, str]:
        if not asked["response_mode"].endswith("jwt"):
            return fields
        now = int(time.time())
        return {"response": self.sign_token({**fields, "iss": self.issuer, "aud": self.client_id, "exp": now + 60})}

    def authorisation(self, url: str) -> dict:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if reference := query.pop("request_uri", None):
            asked = self.request_object(self.pushed.pop(reference))
            assert query.keys() == {"client_id", "response_type", "scope"}
        else:
            assert not self.demands_pushes
            asked = self.request_object(query.pop("request"))
            assert query.keys() >= {"client_id", "response_type", "scope", "redirect_uri", "state"}
        assert all(asked[name] == value for name, value in query.items())
        return asked

    def request_object(self, token: str) -> dict:
        asked = jwt.decode(token, self.tpp_key, ["PS256"], audience=self.issuer, issuer=self.client_id)
        assert asked["exp"] - asked["nbf"] <= 3600
        assert not (asked["response_mode"] == "query.jwt" and "id_token" in asked["response_type"])
        return asked

    def id_token(self, consent_id: str, nonce: str, code: str | None = None, state: str | None = None) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": consent_id,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "acr": "urn:openbanking:psd2:sca",
            "openbanking_intent_id": consent_id,
        }
        if code is not None and state is not None:
            claims |= {"c_hash": half_hash(code), "s_hash": half_hash(state)}
        changed = {**claims, **with_moments(self.token_changes)}
        return self.sign_token({name: value for name, value in changed.items() if value is not None})

    # --- signatures ----------------------------------------------------------------------------------------------------

    def header(self, **changes: object) -> dict:
        header = {
            "alg": "PS256",
            "kid": self.kid,
            f"{OB}iat": int(time.time()),
            f"{OB}iss": self.organisation_id,
            f"{OB}tan": "openbanking.org.uk",
            "crit": [f"{OB}iat", f"{OB}iss", f"{OB}tan"],
        }
        return {name: value for name, value in {**header, **changes}.items() if value is not None}

    def signature(self, body: bytes, header: dict | None = None, key: rsa.RSAPrivateKey | None = None) -> str:
        head = b64(json.dumps(header or self.header()).encode())
        return f"{head}..{b64(PS256.sign(f'{head}.{b64(body)}'.encode(), key or self.key))}"

    def check_signature(self, asked: Asked) -> None:
        head, between, signature = asked.headers["x-jws-signature"].split(".")
        header = json.loads(unb64(head))
        assert between == ""
        assert header["crit"] == [f"{OB}iat", f"{OB}iss", f"{OB}tan"]
        assert header[f"{OB}iss"] == "org-1/software-1"
        assert "b64" not in header
        assert PS256.verify(f"{head}.{b64(asked.body)}".encode(), self.tpp_key, unb64(signature))

    def signed(self, value: dict, status: int = 200) -> Reply:
        reply = self.said(value, status)
        signature = self.sign_answer(reply.body)
        return Reply(status, reply.body, {} if signature is None else {"x-jws-signature": signature})

    def said(self, value: dict, status: int = 200) -> Reply:
        return Reply(status, json.dumps(value, indent=1).encode())

    def error(self, status: int, *codes: str) -> Reply:
        return self.said({"Errors": [{"ErrorCode": code} for code in codes]}, status)


def hmac_token(claims: dict, secret: bytes, kid: str) -> str:
    """Sign with HS256 using anything as the secret, which PyJWT itself refuses to do with a public key."""
    head = b64(json.dumps({"alg": "HS256", "kid": kid}).encode())
    signing_input = f"{head}.{b64(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64(hmac.digest(secret, signing_input.encode(), 'sha256'))}"
