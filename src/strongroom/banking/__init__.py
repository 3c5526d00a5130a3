"""Talking to banks: who they are, whether they answer, and the words in which we ask them. No tables, no business rules.

Words: a *bank* is an account provider that customers pay from; a *connector* speaks one family of banks' language behind the
protocols of `port`; a *consent* is what the customer agrees to at the bank's own pages; a *grant* is the right that follows;
*memory* is what a connector must have back later, sealed by the caller. `Unavailable` did not act, `Silent` may have acted,
`Refused` said no. Below: kit.
"""
