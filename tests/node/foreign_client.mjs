// A third party by npm's openid-client: for each line that comes in it goes one step with the bank, and says what came of it.
// The first line says who it is; then {"begin": …} makes a consent and tells where to send the customer, {"finish": …} takes what
// the customer brings back, exchanges the code and uses the token. {"decouple": …} makes a consent and asks the customer from behind,
// {"collect": …} asks until they have answered and uses the token.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createInterface } from "node:readline";

import { FlattenedSign, SignJWT, importPKCS8 } from "jose";
import * as client from "openid-client";

const OB = "http://openbanking.org.uk/";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value ?? "null");
const me = await next();
const agent = new https.Agent({ ca: readFileSync(me.ca), cert: readFileSync(me.certificate), key: readFileSync(me.key) });
const signing = await importPKCS8(readFileSync(me.signing_key, "utf8"), "PS256");
const clientKey = { key: signing, kid: me.kid };

// fetch over mutual TLS
function fetchWithCertificate(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const text = body == null ? undefined : body instanceof URLSearchParams ? body.toString() : body;
    const request = https.request(url, { method, headers: Object.fromEntries(new Headers(headers)), agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        const content = [204, 304].includes(answer.statusCode) ? null : Buffer.concat(parts);
        resolve(new Response(content, { status: answer.statusCode, headers: Object.entries(answer.headers).map(([n, v]) => [n, String(v)]) }));
      });
    });
    request.on("error", reject);
    if (text !== undefined) request.write(text);
    request.end();
  });
}

async function configure(asked) {
  const authentication = asked.authentication === "tls_client_auth" ? client.TlsClientAuth() : client.PrivateKeyJwt(clientKey);
  const metadata = { token_endpoint_auth_method: asked.authentication, use_mtls_endpoint_aliases: false, id_token_signed_response_alg: "PS256", authorization_signed_response_alg: "PS256", tls_client_certificate_bound_access_tokens: true };
  const config = await client.discovery(new URL(me.issuer), me.client_id, metadata, authentication, { [client.customFetch]: fetchWithCertificate, execute: [client.allowInsecureRequests] }); // the pages of a bank for tests are plain http
  config[client.customFetch] = fetchWithCertificate;
  client.enableNonRepudiationChecks(config);
  if (asked.manner === "jarm") client.useJwtResponseMode(config);
  else { client.useCodeIdTokenResponseType(config); client.enableDetachedSignatureResponseChecks(config); }
  return config;
}

async function detached(body) {
  const header = { alg: "PS256", kid: me.kid, typ: "JOSE", cty: "application/json", [`${OB}iat`]: Math.floor(Date.now() / 1000), [`${OB}iss`]: me.signer, [`${OB}tan`]: "openbanking.org.uk", crit: [`${OB}iat`, `${OB}iss`, `${OB}tan`] };
  const crit = Object.fromEntries(header.crit.map((name) => [name, true]));
  const signed = await new FlattenedSign(new TextEncoder().encode(body)).setProtectedHeader(header).sign(signing, { crit });
  return `${signed.protected}..${signed.signature}`;
}

async function call(config, token, path, content) {
  const body = content && JSON.stringify(content);
  const headers = new Headers({ "x-fapi-interaction-id": randomUUID() });
  if (body) { headers.set("content-type", "application/json"); headers.set("x-idempotency-key", randomUUID()); headers.set("x-jws-signature", await detached(body)); }
  const answer = await client.fetchProtectedResource(config, token, new URL(`${me.issuer}/open-banking/v4.0/${path}`), body ? "POST" : "GET", body, headers);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const KINDS = {
  payments: { consent: "pisp/domestic-payment-consents" },
  accounts: { consent: "aisp/account-access-consents" },
};

async function begin(asked) {
  const config = await configure(asked);
  const token = (await client.clientCredentialsGrant(config, { scope: asked.kind })).access_token;
  const consent = await call(config, token, KINDS[asked.kind].consent, asked.consent);
  const verifier = client.randomPKCECodeVerifier();
  const visit = { config, asked, verifier, clientToken: token, consentId: consent.Data.ConsentId, state: client.randomState(), nonce: client.randomNonce() };
  const now = Math.floor(Date.now() / 1000);
  const parameters = {
    redirect_uri: me.redirect_uri, scope: `openid ${asked.kind}`, state: visit.state, nonce: visit.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    claims: JSON.stringify({ id_token: { openbanking_intent_id: { essential: true, value: visit.consentId }, acr: { essential: true, values: ["urn:openbanking:psd2:sca"] } } }),
  };
  const url = await client.buildAuthorizationUrlWithJAR(config, parameters, clientKey, { [client.modifyAssertion]: (_, payload) => { payload.nbf = now; payload.exp = now + 300; payload.claims = JSON.parse(parameters.claims); } });
  visit.url = asked.push ? await client.buildAuthorizationUrlWithPAR(config, url.searchParams) : url;
  return visit;
}

async function finish(visit, returned) {
  const { config, asked } = visit;
  const back = new URL(me.redirect_uri);
  if (asked.manner === "jarm") back.search = new URLSearchParams(returned).toString();
  else back.hash = new URLSearchParams(returned).toString();
  const tokens = await client.authorizationCodeGrant(config, back, { expectedState: visit.state, expectedNonce: visit.nonce, pkceCodeVerifier: visit.verifier, idTokenExpected: true });
  return use(visit, tokens);
}

async function decouple(asked) {
  const config = await configure({ authentication: "private_key_jwt", ...asked });
  const token = (await client.clientCredentialsGrant(config, { scope: asked.kind })).access_token;
  const consent = await call(config, token, KINDS[asked.kind].consent, asked.consent);
  const claims = { scope: `openid ${asked.kind}`, "openbanking-intent-id": consent.Data.ConsentId, binding_message: asked.words };
  const request = await new SignJWT(claims).setProtectedHeader({ alg: "PS256", kid: me.kid }).setIssuer(me.client_id).setAudience(me.issuer)
    .setIssuedAt().setNotBefore("0s").setExpirationTime("5m").setJti(randomUUID()).sign(signing);
  const waiting = await client.initiateBackchannelAuthentication(config, { request });
  return { config, asked, waiting, clientToken: token, consentId: consent.Data.ConsentId };
}

async function collect(visit) {
  return use(visit, await client.pollBackchannelAuthenticationGrant(visit.config, visit.waiting));
}

async function use({ config, asked, ...visit }, tokens) {
  const claims = tokens.claims();
  const used = { consent_id: visit.consentId, intent: claims.openbanking_intent_id, acr: claims.acr, bound: createHash("sha256").update(visit.consentId).digest("hex").length };
  if (asked.kind === "payments") {
    const paid = await call(config, tokens.access_token, "pisp/domestic-payments", { Data: { ConsentId: visit.consentId, Initiation: asked.consent.Data.Initiation }, Risk: asked.consent.Risk });
    const status = await call(config, visit.clientToken, `pisp/domestic-payments/${paid.Data.DomesticPaymentId}`);
    return { ...used, payment_id: paid.Data.DomesticPaymentId, status: status.Data.Status };
  }
  const accounts = await call(config, tokens.access_token, "aisp/accounts");
  return { ...used, accounts: accounts.Data.Account.length };
}

let visit;
for (let step = await next(); step; step = await next()) {
  try {
    if (step.decouple) { visit = await decouple(step.decouple); console.log(JSON.stringify({ consent_id: visit.consentId, interval: visit.waiting.interval })); }
    else if (step.collect) console.log(JSON.stringify(await collect(visit)));
    else if (step.begin) { visit = await begin(step.begin); console.log(JSON.stringify({ url: visit.url.href, consent_id: visit.consentId })); }
    else console.log(JSON.stringify(await finish(visit, step.finish)));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.code ?? error.name}: ${error.error ?? ""} ${error.message} ${error.cause?.message ?? error.cause?.error ?? ""}` }));
  }
}
