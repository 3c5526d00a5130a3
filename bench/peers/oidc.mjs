// npm's oidc-provider with its own in-memory store, issuing opaque tokens for client credentials: node oidc.mjs PORT
import Provider from "oidc-provider";

const port = Number(process.argv[2]);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "bench", client_secret: "bench-secret-of-the-peer-0123456789", grant_types: ["client_credentials"],
    redirect_uris: [], response_types: [], token_endpoint_auth_method: "client_secret_post",
  }],
  scopes: ["funds:read", "funds:write"],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
});
provider.listen(port, "127.0.0.1");
