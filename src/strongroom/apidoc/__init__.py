"""The document of the API: what every operation takes and answers, as OpenAPI 3.1 and as a page to read and try.

It is made from the handlers and shapes themselves. It owns no rules and no tables. Below it: the faces that it describes.
"""
