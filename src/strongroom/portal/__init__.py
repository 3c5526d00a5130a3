"""The customer's website: a face, with no rules and no tables of its own.

A *view* (`views/`) says what one page needs; a *template* shows it; `rendering.py` joins the two with the *texts* of one
language (`texts/en.toml`). `paths.py` knows every address. `pages.py` (the handlers) asks `funds` and `sca` below, turns the
answer into a view, and renders it. Words: customer, firm, request, payment, bank.
"""
