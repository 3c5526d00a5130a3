"""What each page needs, one frozen view a page: values already decided elsewhere, and no rules.

`frame.py` is what every page shares; `signing_in.py`, `requests.py`, `paying.py`, `sharing.py` and `plain.py` hold the pages.
"""
