"""Text messages to people's phones: queued in the caller's transaction, sent by workers, never twice blindly, within limits.

Owns `messages`, `message_numbers`, `message_refusals`, `message_pauses`, `message_receipts` and `message_texts`. Words: a *message*
is one SMS; a *gateway* carries it; a *receipt* is what the gateway says later; a *prefix* is a block of numbers that differ in
their last four digits; the *watch* pauses where codes go unused. Knows the kit and nothing else; a tenant is whoever the
message is sent for.
"""
