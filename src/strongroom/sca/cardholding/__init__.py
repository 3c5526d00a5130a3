"""Cardholders: who an issuer enrolled, with which card and which telephone. Owns the table `cardholders`.

Words: an *enrolment* is what the issuer sent; a *cardholder* is the person it made; *approved* is whether their token may be used
at once; a new telephone number *cools off* for a day, in which codes still go to the old one. Below: notify, access, kit.
"""
