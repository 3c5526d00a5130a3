"""Telling the firm: events written with the work that they tell of, endpoints that want them, deliveries, and a feed to pull.

Owns the `webhook_…` tables. Words: an *event* says that something happened to an *object*; an *endpoint* is an address of the
firm; a *delivery* is one event on its way to one endpoint, in one or several *tries*; the *feed* is all events of a firm in
the order of their positions. Knows the kit and the caller's type of `access`.
"""
