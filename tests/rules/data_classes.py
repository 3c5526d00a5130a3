"""docs/data-classes.md: every column of the migrated database, how it is kept, and for how long.

A column's class follows from its name and type where the house has a rule for it; every other column is listed here by hand, so
that nobody adds one without saying what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

COLUMNS = """SELECT c.relname AS table_name, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY c.relname, a.attnum"""

SEALED, KEYED_HASH, HASH, ID, BUSINESS, TIME, WORKING = (
    "sealed", "keyed hash", "hash", "plain id", "plain business", "time", "plain working",
)  # fmt: skip
_BY_NAME = ((r".*_sealed", SEALED), (r".*_hash(es)?", KEYED_HASH), (r"id|.*_id", ID))

# What the names' rule would misjudge: hashes that no key of ours makes, and why that is enough.
OTHER_HASHES = {
    "access_tokens.certificate_hash": "SHA-256 of a public certificate",
    "api_clients.certificate_hash": "SHA-256 of a public certificate",
    "issuer_hubs.certificate_hash": "SHA-256 of a public certificate",
    "audit_seals.chain_hash": "SHA-512 chain over the audit, nothing personal in it",
    "staff_members.password_hash": "argon2id",
}

# Plain columns that hold what a firm, its staff or its bank wrote, and what is in them.
_FREE_TEXT = "the firm's own words"
_FAILURE = "a sentence from a closed list"
BUSINESS_COLUMNS = {
    "access_tokens.name": _FREE_TEXT,
    "api_clients.keys": "public keys",
    "api_clients.profile": "what the token answer names: the tenant's own public codes",
    "api_clients.name": _FREE_TEXT,
    "audit_entries.actor": "who acted: an opaque id, or the operator's account name",
    "audit_entries.detail": "ids, states and counts; nothing personal",
    "audit_entries.subject": "an opaque id",
    "audit_entries.tag": "from a closed list",
    "account_requests.asked": "opaque ids of customers",
    "account_requests.last_failure_code": "from a closed list",
    "account_requests.last_failure_message": _FAILURE,
    "bank_refusals.refused_minor": "pence, of a payment that the bank refused; not whose",
    "card_questions.token_serial": "the number printed on a device",
    "cardholders.pan_shown": "first six and last four digits of a card",
    "cases.case_ref": _FREE_TEXT,
    "cases.unique_ref": _FREE_TEXT,
    "credit_requests.amount_minor": "pence",
    "credit_requests.committed_minor": "pence",
    "credit_requests.currency": "GBP",
    "credit_requests.description": _FREE_TEXT,
    "credit_requests.last_failure_code": "from a closed list",
    "credit_requests.last_failure_message": _FAILURE,
    "credit_requests.reference": _FREE_TEXT,
    "credit_requests.statement_reference": "what the bank statement will show",
    "firms.name": "the firm's public name",
    "firms.settings": "the firm's public details and choices",
    "history.detail": "ids and failure codes; nothing personal",
    "hosted_logins.covers": "opaque ids of firms, cases and customers",
    "issuer_card_ranges.prefix": "the first digits of an issuer's cards, which are public",
    "issuers.name": "the issuer's public name",
    "issuers.settings": "the issuer's choices, addresses and certificates; nothing secret",
    "merchants.name": "the merchant's public name",
    "merchants.settings": "the merchant's choices",
    "message_texts.text": "the firm's own wording, without values",
    "message_sequences.answers_id": "the name that a bank's software gave to the sequence of our answers",
    "message_pauses.country": "ISO 3166",
    "message_pauses.lifted_by": "who acted: the operator's account name",
    "message_refusals.country": "ISO 3166",
    "messages.country": "ISO 3166, of the number",
    "messages.failure": "a gateway's code",
    "otp_tokens.question": "what a signing device was asked last without a purchase: random digits",
    "otp_tokens.serial": "the number printed on a device",
    "otp_tokens.unblock_asked_by": "who acted: an opaque id",
    "payment_evidence.bank_status": "the bank's status code",
    "payment_findings.decided_by": "an opaque id",
    "payment_findings.proposed_by": "an opaque id",
    "payments.agreed": "what was agreed: wording, bank, amount, payee; the address only as a keyed hash",
    "payments.amount_minor": "pence",
    "payments.bank_status": "the bank's status code",
    "payments.failure_code": "from a closed list",
    "payments.failure_message": _FAILURE,
    "payments.third_party_payer": "yes, no or unknown",
    "purchases.amount_minor": "hundredths of the currency",
    "purchases.card_reference": "one client's own name for a card; a keyed hash with that client in it",
    "purchases.card_shown": "the first six and the last four digits of a card",
    "purchases.client_id": "an opaque id",
    "purchases.code": "an answer code of the contract",
    "purchases.currency": "ISO 4217",
    "purchases.payee": "the merchant's public name",
    "purchases.phone_shown": "a telephone number of which all but the last two digits are masked",
    "purchases.prompt": "what the payer was asked, in our words or the issuer's",
    "purchases.question": "what a signing device was fed with: a number made from amount and payee",
    "purchases.reference": "the merchant's own reference",
    "receiving_accounts.account_name": "the firm's own account",
    "receiving_accounts.account_number_last4": "the firm's own account",
    "receiving_accounts.approved_by": "an opaque id",
    "receiving_accounts.proposed_by": "an opaque id",
    "reviews.resolved_by": "an opaque id",
    "shares.agreed": "what was agreed: wording, bank, what is shared; the address only as a keyed hash",
    "shares.failure_code": "from a closed list",
    "shares.failure_message": _FAILURE,
    "shares.name_match": "outcome and score, never the names",
    "shares.review_required": "yes or no",
    "webhook_endpoints.description": _FREE_TEXT,
}

# Plain columns by which the system works: states, kinds, counters, switches. Nothing about a person.
WORKING_COLUMNS = {
    "access_tokens": "kind scopes",
    "account_requests": "state notify",
    "api_clients": "scopes",
    "attempt_budgets": "charges failures level locked_by",
    "audit_progress": "one sealed_below",
    "audit_seals": "sequence",
    "authentications": "state",
    "cardholders": "state approved",
    "cases": "state",
    "challenges": "purpose attempts max_attempts",
    "clock_offset": "one ahead",
    "credit_requests": "state purpose allow_split notify",
    "customers": "position",
    "directory": "kind",
    "hand_offs": "tries",
    "heartbeats": "kind",
    "history": "position machine before after event",
    "message_pauses": "scope stops numbers users",
    "message_receipts": "gateway receipt",
    "message_refusals": "hour limited_by purpose refused",
    "message_texts": "template",
    "message_sequences": "state version last_number",
    "messages": "state purpose urgent sender no_log tries claim gateway segments encoding cost_micros",
    "otp_tokens": "state kind algorithm digits period_seconds suite counter drift_steps charges failures lock_level locked_by",
    "payment_findings": "kind state",
    "payments": "state consent_key submit_key tries",
    "portal_sessions": "kind",
    "purchases": "state channel judge token_type linking attempts attempts_left resends",
    "rate_windows": "name used",
    "receiving_accounts": "state kind is_default",
    "reviews": "reason",
    "schema_migrations": "number name digest",
    "sequence_messages": "number",
    "shares": "state consent_open tries",
    "signing_keys": "kid purpose",
    "staff_members": "state totp_last_step attempts charges lockouts locked_by_charge",
    "tenant_keys": "version",
    "webhook_deliveries": "place tries claim outcome",
    "webhook_endpoints": "event_types include_account_details proven disabled_reason",
    "webhook_events": "type sequence arrival feed_position",
    "webhook_feeds": "last_position",
    "webhook_sequences": "last_sequence",
    "webhook_tries": "try status failure duration_ms",
}

# How long rows are kept, as the jobs of this version do it.
_KEPT = "kept: no job removes it"
_WITH_PAYMENTS = f"{_KEPT} (payment and consent records: at least 6 years)"
RETENTION = {
    "access_tokens": "issued ones: a day after they end; static ones: kept",
    "account_requests": _WITH_PAYMENTS,
    "api_clients": _KEPT,
    "attempt_budgets": "30 days after the last change, when not locked",
    "audit_entries": f"{_KEPT} (removing one would break its chain)",
    "audit_progress": "one row",
    "audit_seals": _KEPT,
    "authentications": _WITH_PAYMENTS,
    "bank_refusals": "warned of for 30 days after the last refusal; the row until the bank lets such an amount through",
    "card_questions": "7 days after the last question",
    "cardholders": _KEPT,
    "cases": _WITH_PAYMENTS,
    "challenges": "7 days",
    "client_assertions": "an hour after they end",
    "client_secrets": _KEPT,
    "clock_offset": "one row",
    "credit_requests": _WITH_PAYMENTS,
    "customers": "the row: kept; what is known of the person: `STRONGROOM_RETENTION_PAYMENTS_DAYS` (2192) after the last record",
    "directory": "with the row that it leads to",
    "firms": _KEPT,
    "forwarded_codes": "30 days",
    "grant_handles": "with their grant",
    "hand_offs": "with the session that offered it; one that nobody scanned: five minutes, when the next is made",
    "heartbeats": "unused in this version",
    "history": _WITH_PAYMENTS,
    "hosted_logins": "7 days",
    "idempotency_keys": "24 hours",
    "issuer_bank_ids": _KEPT,
    "issuer_card_ranges": "until it is taken from the issuer",
    "issuer_hubs": "until the issuer's settings name it no more",
    "issuers": _KEPT,
    "login_grants": "a day",
    "merchants": _KEPT,
    "message_numbers": "2 days after the last use",
    "message_pauses": "400 days",
    "message_receipts": "7 days",
    "message_refusals": "400 days",
    "message_replays": "a minute after the message's own time, which is five minutes at most",
    "message_sequences": "ten minutes after they were terminated or their time was over, which is a day at most",
    "message_texts": "until the firm changes it",
    "messages": "recipient and text 7 days, a code's text until it is sent or the gateway that queues it says what became of it; "
    "the row 400 days",
    "otp_tokens": _KEPT,
    "payment_evidence": f"{_WITH_PAYMENTS}; unreadable once the person is erased",
    "payment_findings": _WITH_PAYMENTS,
    "payments": _WITH_PAYMENTS,
    "portal_session_records": "with their session",
    "portal_sessions": "2 days",
    "purchase_references": _KEPT,
    "purchases": f"`user_id_sealed` and `phone_sealed` until the purchase ends; the rest: {_WITH_PAYMENTS}",
    "rate_windows": "3 days",
    "receiving_accounts": _WITH_PAYMENTS,
    "reviews": _WITH_PAYMENTS,
    "schema_migrations": _KEPT,
    "sequence_messages": "with their sequence",
    "shares": f"`details_sealed`: `STRONGROOM_RETENTION_SHARED_ACCOUNTS_DAYS` (90); the rest: {_WITH_PAYMENTS}",
    "signing_keys": f"{_KEPT} (an old private half, sealed, signs nothing)",
    "staff_members": _KEPT,
    "tenant_keys": f"{_KEPT} (destroying one makes a tenant's data unreadable, in backups too)",
    "webhook_deliveries": "90 days, once nobody waits for them",
    "webhook_endpoints": _KEPT,
    "webhook_events": "90 days, once nobody waits for them",
    "webhook_feeds": _KEPT,
    "webhook_sequences": _KEPT,
    "webhook_tries": "with their delivery",
}

HEAD = """# Data classes

Every column of the migrated database, listed by `tests/rules/data_classes.py`; a test fails when a column has no class.
Write it anew with `UPDATE_DOCS=1 .venv/bin/python -m pytest tests/rules/test_data_classes.py`.

| class | means | can be searched |
|---|---|---|
| sealed | AES-256-GCM; the key's version is in the value, the place (tenant, table, column, row) is bound to it | no |
| keyed hash | HMAC-SHA-512 with a key outside the database, one key per purpose | for the exact value, by the system only |
| hash | a hash that no key of ours makes; the last column says which | yes |
| plain id | random and opaque, or a bank's own identifier | yes |
| plain business | what the firm or a bank wrote; the last column says what | yes |
| plain working | states, kinds, counters and switches; nothing about a person | yes |
| time | when something happened or ends | yes |

No column holds a name, an e-mail address, a date of birth, a telephone number or a full account number of a customer in the clear.
What a firm types into free text (`case_ref`, `reference`, `description`) is kept as typed: put nothing personal there.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of one table."""

    table: str
    name: str
    type: str

    @property
    def path(self) -> str:
        return f"{self.table}.{self.name}"


def classify(column: Column) -> tuple[str, str] | None:
    """Return a column's class and a remark; None when nobody has said what it holds."""
    if column.path in BUSINESS_COLUMNS:
        return BUSINESS, BUSINESS_COLUMNS[column.path]
    if column.path in OTHER_HASHES:
        return HASH, OTHER_HASHES[column.path]
    if column.name in WORKING_COLUMNS.get(column.table, "").split():
        return WORKING, ""
    if column.type.startswith("timestamp"):
        return TIME, ""
    return next(((kind, "") for pattern, kind in _BY_NAME if re.fullmatch(pattern, column.name)), None)


def faults(columns: Iterable[Column]) -> Iterator[str]:
    """Yield what the tables above lack, or have too much of."""
    held = list(columns)
    yield from (f"{column.path} has no class" for column in held if classify(column) is None)
    yield from (f"{table} has no retention" for table in sorted({column.table for column in held} - set(RETENTION)))
    listed = {*BUSINESS_COLUMNS, *OTHER_HASHES, *(f"{t}.{n}" for t, names in WORKING_COLUMNS.items() for n in names.split())}
    yield from (f"{path} is listed and does not exist" for path in sorted(listed - {column.path for column in held}))
    yield from (f"{table} is listed and does not exist" for table in sorted(set(RETENTION) - {column.table for column in held}))


def render(columns: Iterable[Column]) -> str:
    """Return the whole document."""
    held = list(columns)
    parts = [HEAD]
    for table in sorted({column.table for column in held}):
        rows = []
        for column in (one for one in held if one.table == table):
            kind, remark = classify(column) or ("?", "")
            rows.append(f"| `{column.name}` | {kind} | {remark} |")
        parts.append(
            "\n".join(
                [f"## {table}\n\nRows: {RETENTION.get(table, '?')}.\n", "| column | class | holds |", "|---|---|---|", *rows, ""]
            )
        )
    return "\n".join(parts)
