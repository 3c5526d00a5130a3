// Banks' authorisation servers by npm's oidc-provider, each as FAPI 1.0 Advanced wants it. A JSON description comes by
// standard input; the line that goes out names the issuers, and the process ends when its input does.
import { once } from "node:events";
import https from "node:https";
import { createInterface } from "node:readline";

import Provider from "oidc-provider";

const SCA = "urn:openbanking:psd2:sca";
const asked = JSON.parse((await once(createInterface({ input: process.stdin }), "line"))[0]);

function configuration(bank) {
  return {
    jwks: { keys: bank.keys },
    cookies: { keys: [bank.name] },
    scopes: ["openid", "payments", "accounts"],
    claims: { acr: null, iss: null, sid: null, auth_time: null, openid: ["sub"], payments: ["openbanking_intent_id"], accounts: ["openbanking_intent_id"] },
    acrValues: [SCA],
    responseTypes: bank.response_types,
    enabledJWA: { requestObjectSigningAlgValues: ["PS256"], clientAuthSigningAlgValues: ["PS256"] },
    ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 600, IdToken: 300, Interaction: 300, Session: 600 },
    clients: [customer(bank), { client_id: "resources", client_secret: bank.secret, token_endpoint_auth_method: "client_secret_post", grant_types: [], response_types: [], redirect_uris: [], id_token_signed_response_alg: "PS256", authorization_signed_response_alg: "PS256" }],
    features: {
      devInteractions: { enabled: false },
      fapi: { enabled: true, profile: (_ctx, client) => (client?.clientId === "resources" ? undefined : "1.0 Final") },
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      jwtResponseModes: { enabled: true },
      mTLS: { enabled: true, certificateBoundAccessTokens: true, getCertificate },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: bank.demands_pushes },
      requestObjects: { enabled: true, requireSignedRequestObject: false },
    },
    findAccount: (_ctx, accountId) => ({
      accountId,
      claims: (_use, _scope, wanted) => ({ sub: accountId, openbanking_intent_id: wanted?.openbanking_intent_id?.value }),
    }),
    extraTokenClaims: (_ctx, token) => ({ consent_id: token.claims?.id_token?.openbanking_intent_id?.value }),
  };
}

function customer(bank) {
  return {
    client_id: bank.client_id,
    redirect_uris: [bank.redirect_uri],
    response_types: bank.response_types,
    grant_types: bank.response_types.some((type) => type.includes("id_token"))
      ? ["authorization_code", "implicit", "client_credentials"]
      : ["authorization_code", "client_credentials"],
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: "PS256",
    id_token_signed_response_alg: "PS256",
    authorization_signed_response_alg: "PS256",
    request_object_signing_alg: "PS256",
    require_signed_request_object: true,
    tls_client_certificate_bound_access_tokens: true,
    jwks: { keys: [bank.client_key] },
  };
}

function getCertificate(ctx) {
  return ctx.socket.authorized ? ctx.socket.getPeerX509Certificate().toString() : undefined;
}

// The bank's page, without a page: the customer agrees to all that is asked, strongly authenticated.
function agreeing(provider) {
  return async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next();
    const { params, prompt } = await provider.interactionDetails(ctx.req, ctx.res);
    const grant = new provider.Grant({ accountId: "customer", clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? ["openbanking_intent_id"]);
    const result = { login: { accountId: "customer", acr: SCA }, consent: { grantId: await grant.save() } };
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true }));
  };
}

async function open(bank) {
  const server = https.createServer({ ...asked.tls, requestCert: true, rejectUnauthorized: false });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `https://localhost:${server.address().port}`;
  const provider = new Provider(issuer, configuration(bank));
  provider.use(agreeing(provider));
  provider.on("server_error", (_ctx, error) => console.error(error));
  for (const event of ["authorization.error", "grant.error", "introspection.error"]) {
    provider.on(event, (_ctx, error) => console.error(event, error.error, error.error_description, error.error_detail));
  }
  server.on("request", provider.callback());
  return issuer;
}

console.log(JSON.stringify(await Promise.all(asked.banks.map(open))));
process.stdin.on("end", () => process.exit(0)).resume();
