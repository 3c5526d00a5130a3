"""What the document says in words: the introduction, the rules that hold for every operation, and what each event means."""

from __future__ import annotations

from typing import Final

from strongroom.access.model import TOKEN_SECONDS
from strongroom.kit.body import MAX_BYTES, MAX_DEPTH
from strongroom.kit.idempotency import KEY_MAX_LENGTH
from strongroom.webhooks.model import BODY_MAX_BYTES, EventType

TITLE: Final = "Strongroom"
INTRODUCTION: Final = f"""
Ask customers for payments (credit requests) and for their bank details (customer account requests), by open banking.

**Begin.** `POST /token` gives an access token for {TOKEN_SECONDS // 60} minutes; send it as `Authorization: Bearer …`. Make a
case with its customers, then a request; the customer gets a text message, logs in, and pays or shares at their own bank. You are
told by webhooks, and can read every event from the feed at `GET /api/1.0/events`.

**Bodies** are JSON, whatever their Content-Type says, of at most {MAX_BYTES:,} bytes and {MAX_DEPTH} levels. A name that stands
twice is refused with 400, a name that is not known with 422, which names it.

**Money** is a number of pounds with at most two decimals, never in exponents; the same digits as text are accepted too. Answers
print two decimals.

**Times** are RFC 3339 in UTC. **Ids** are opaque, at most 40 characters.

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`, the `request_id`, and for invalid input `errors`, each
with a JSON pointer. Another firm's ids are answered with 404, as if they were not there. Only `/token` and `/oauth/…` answer as
RFC 6749 §5.2 has it. Every answer carries `x-request-id`; 429 and 503 carry `Retry-After`.

**Idempotency.** Every POST that creates takes an `Idempotency-Key` of 1 to {KEY_MAX_LENGTH} printable characters, kept for 24
hours: the same key and body give the same answer, with `Idempotent-Replayed: true`; the same key with another body gives 422.
While the first is still running the second waits up to 5 seconds, then gets 409. Where the answer holds a secret the header is
refused.

**Lists** hold 25 entries unless `limit` says otherwise, newest first (the feed: oldest first). Give `next` as `after` to go on.

**Limits.** At most 20 customers in a case, 100 entries on a page of a list (500 in the feed), 20 webhook endpoints, £1,000,000.00
for a credit request or less where the firm's setting says so; five text messages to a number in ten minutes and ten in a day; after
too many failed attempts to authenticate, `/token` answers 429.

**`completed` never means cleared funds**: it means that the customer's bank has executed the payment. `received` means that the
money is on the receiving account.
""".strip()

TAG_TEXTS: Final = {
    "Tokens": "OAuth 2.0 client credentials (RFC 6749 §4.4), by secret, signed assertion (RFC 7523) or certificate (RFC 8705).",
    "Cases and customers": "A case holds one or more customers; every request belongs to a case.",
    "Credit requests": "SafePay: ask for an amount.",
    "Customer account requests": "SafeAuth: ask for bank details, with the account holder's name compared to the customer's.",
    "Logging customers in": "The hosted login (customer authentications), and grants for customers whom you have identified.",
    "Receiving accounts": "Where money goes. Proposed and approved by two members of your staff, never through the API.",
    "Webhook endpoints": "Where events are sent. Signed as Standard Webhooks 1.0 says.",
    "Events": "The feed of everything that happened, every delivery, and replays. It never loses an event.",
}

DELIVERY: Final = f"""
Sent at least once, first within a second, then after 5 seconds, 5 and 30 minutes, and 2, 5, 10, 14, 20 and 24 hours. Any 2xx
within the time limit is success; 410 disables the endpoint; redirects are not followed; `Retry-After` is honoured. The body has
less than {BODY_MAX_BYTES:,} bytes and is the same on every try: tell repeats by `webhook-id`, order by `sequence` (per object).
Full account numbers are sent only to endpoints that two members of your staff have allowed it for.
""".strip()

EVENT_TEXTS: Final = {
    EventType.CREDIT_REQUEST_COMPLETED: "The customer's bank has executed the payment. Not cleared funds.",
    EventType.CREDIT_REQUEST_RECEIVED: "The money is on the receiving account.",
    EventType.CREDIT_REQUEST_PAYMENT_FAILED: "An attempt to pay came to nothing; `lastFailure` says why; the request is open.",
    EventType.CREDIT_REQUEST_PARTLY_PAID: "One part of a split request is paid.",
    EventType.CREDIT_REQUEST_HELD: "The bank holds the payment (BLCK).",
    EventType.CREDIT_REQUEST_RETURNED: "The payment was rejected or sent back after it had been executed.",
    EventType.CREDIT_REQUEST_DELAYED: "Two hours after it was submitted, the payment has no final status.",
    EventType.CREDIT_REQUEST_EXPIRED: "The request's time is over.",
    EventType.CREDIT_REQUEST_CANCELLED: "The request was withdrawn.",
    EventType.CUSTOMER_ACCOUNT_REQUEST_COMPLETED: "Every customer who was asked has shared an account.",
    EventType.CUSTOMER_ACCOUNT_REQUEST_DECLINED: "A customer did not share; `lastFailure` says why. The request is open again.",
    EventType.CUSTOMER_ACCOUNT_REQUEST_EXPIRED: "The request's time is over.",
    EventType.CUSTOMER_AUTHENTICATION_LOCKED: "Too many wrong codes: this customer's login is locked for a while.",
    EventType.CUSTOMER_OPENED: "A customer logged in for the first time.",
    EventType.PING: "You asked for a test.",
}
