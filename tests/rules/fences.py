"""The laws that a migrated database can be asked about. Each is a query: one row per fault, in words."""

from __future__ import annotations

TENANT_COLUMNS = ("firm_id", "issuer_id", "tenant_id")

# Tables with a tenant in them and no fence, and why. None holds anything personal or secret.
NOT_FENCED = {
    "directory": "looked up before the tenant is known; holds keyed hashes and ids only",
    "access_tokens": "tells the tenant: a keyed hash of 256 random bits leads to a client and its scopes",
    "issuer_bank_ids": "tells the issuer: public numbers",
    "issuer_card_ranges": "tells the issuer: the first digits of cards, which are public",
    "issuer_hubs": "tells the issuers that a hub may ask: hashes of public certificates",
    "hand_offs": "read by the hash of a scanned token before any tenant is known; holds keyed hashes and ids only",
    "portal_session_records": "read by the session's hash before any tenant is known; holds ids only",
}
FOUND_BY_KEY = ("access_tokens", "issuer_bank_ids", "issuer_card_ranges")  # the key alone tells the tenant, and must tell one

TENANT_NOT_IN_KEY = """
SELECT format('%s: %s is not part of the primary key', c.relname, a.attname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY($1) AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> ALL($2)
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY(i.indkey))
"""

NOT_FENCED_BY_ROWS = """
SELECT format('%s: row-level security is not %s', c.relname, CASE WHEN c.relrowsecurity THEN 'forced' ELSE 'enabled' END)
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> ALL($2)
  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY($1) AND NOT a.attisdropped)
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
"""

POLICIES_OPEN_TO_ALL = """
SELECT format('%s: policy %s lets everybody see every row', tablename, policyname)
FROM pg_policies WHERE schemaname = 'public' AND qual = 'true' AND roles && ARRAY['public', 'strongroom_app']::name[]
"""

BYPASSING = """
SELECT format('role %s passes row-level security', rolname) FROM pg_roles
WHERE (rolbypassrls OR rolsuper) AND rolname <> 'postgres'
UNION ALL
SELECT format('function %s runs as its owner', proname) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prosecdef
UNION ALL
SELECT format('view %s reads as its owner', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
  AND NOT coalesce('security_invoker=true' = ANY(reloptions) OR 'security_invoker=on' = ANY(reloptions), false)
"""

OWNED_BY_THE_APPLICATION = """
SELECT format('%s belongs to %s', relname, rolname) FROM pg_class JOIN pg_roles r ON r.oid = relowner
WHERE rolname LIKE 'strongroom%'
UNION ALL
SELECT format('%s may make objects in schema public', rolname) FROM pg_roles
WHERE rolname LIKE 'strongroom%' AND has_schema_privilege(rolname, 'public', 'CREATE')
UNION ALL
SELECT format('%s may %s schema_migrations', rolname, p.name)
FROM pg_roles, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) AS p(name)
WHERE rolname LIKE 'strongroom%' AND has_table_privilege(rolname, 'schema_migrations', p.name)
"""

SECRETS_WITHOUT_SHAPE = """
SELECT format('%s.%s is %s: hashes and sealed values are bytea', table_name, column_name, data_type)
FROM information_schema.columns
WHERE table_schema = 'public' AND column_name ~ '_(hash|sealed)$' AND data_type <> 'bytea'
  AND column_name <> 'password_hash'  -- argon2id's own text: it carries its salt and its cost
UNION ALL
SELECT format('%s.%s looks like a secret and is neither _hash nor _sealed', table_name, column_name)
FROM information_schema.columns
WHERE table_schema = 'public' AND data_type <> 'boolean'
  AND column_name ~ '^(.*_)?(secret|password|pan|seed|otp|date_of_birth|email|phone|account_number|sort_code|access_token)$'
"""

LOOSE_TYPES = """
SELECT format('%s.%s is %s', table_name, column_name, data_type) FROM information_schema.columns
WHERE table_schema = 'public' AND (
  data_type IN ('real', 'double precision', 'money', 'timestamp without time zone', 'time without time zone', 'json', 'character')
  OR column_name ~ '(^|_)amount' AND data_type NOT IN ('bigint', 'text', 'bytea'))
"""

STATES_WITHOUT_A_LIST = """
SELECT format('%s.state may hold anything: a CHECK lists the states', c.relname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'state' AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY(k.conkey))
"""
