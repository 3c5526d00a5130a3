-- The tenants of Safe Token beside firms: issuers and merchants, how they are found, what their clients are called, and our keys for
-- signing tokens and proofs.

-- From here on `firm_id` in these two tables is the tenant: a firm, an issuer or a merchant, each with a table of its own.
ALTER TABLE api_clients DROP CONSTRAINT api_clients_firm_id_fkey;
ALTER TABLE staff_members DROP CONSTRAINT staff_members_firm_id_fkey;
ALTER TABLE api_clients ADD COLUMN profile jsonb;  -- what the token answer of /passport names, and how its tokens are made

CREATE TABLE issuers (
  issuer_id text PRIMARY KEY,
  bank_id int NOT NULL CHECK (bank_id > 0),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 140),
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now()
);
SELECT fence('issuers', 'issuer_id', true);
GRANT SELECT, INSERT, UPDATE ON issuers TO strongroom_app;
GRANT SELECT ON issuers TO strongroom_worker;

-- A merchant: its gateway, or a switch that asks for many.
CREATE TABLE merchants (
  merchant_id text PRIMARY KEY,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 140),
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now()
);
SELECT fence('merchants', 'merchant_id', true);
GRANT SELECT, INSERT, UPDATE ON merchants TO strongroom_app;
GRANT SELECT ON merchants TO strongroom_worker;

-- Three look-up tables without a fence, because they tell the issuer: public numbers and hashes of public certificates only.
CREATE TABLE issuer_bank_ids (
  bank_id int PRIMARY KEY,
  issuer_id text NOT NULL
);
GRANT SELECT, INSERT ON issuer_bank_ids TO strongroom_app;

-- The first digits of its cards; of several that fit, the longest tells the issuer.
CREATE TABLE issuer_card_ranges (
  prefix text PRIMARY KEY CHECK (prefix ~ '^[0-9]{4,12}$'),
  issuer_id text NOT NULL
);
CREATE INDEX issuer_card_ranges_by_issuer ON issuer_card_ranges (issuer_id);
GRANT SELECT, INSERT, DELETE ON issuer_card_ranges TO strongroom_app;
GRANT SELECT ON issuer_card_ranges TO strongroom_worker;

-- Which hubs may ask an issuer's own service, by the SHA-256 of the certificate that they show.
CREATE TABLE issuer_hubs (
  certificate_hash bytea NOT NULL CHECK (octet_length(certificate_hash) = 32),
  issuer_id text NOT NULL,
  PRIMARY KEY (certificate_hash, issuer_id)
);
CREATE INDEX issuer_hubs_by_issuer ON issuer_hubs (issuer_id);
GRANT SELECT, INSERT, DELETE ON issuer_hubs TO strongroom_app;

-- Our own keys (the tenant is `hub`). A key signs from `signs_from` on, until a newer one does; its public half is shown from the
-- beginning until `shown_until`, so that rotation overlaps.
CREATE TABLE signing_keys (
  tenant_id text NOT NULL,
  kid text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('access_token', 'proof')),
  key_sealed bytea NOT NULL,
  signs_from timestamptz NOT NULL,
  shown_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, kid)
);
SELECT fence('signing_keys', 'tenant_id', false);
GRANT SELECT, INSERT, UPDATE ON signing_keys TO strongroom_app;
