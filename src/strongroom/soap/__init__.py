"""SOAP on the ground floor: read an envelope within limits, write one, and say what went wrong.

Words: an *element* is a node of the one tree that everything here works on, never a second reading of the bytes. No tables.
Below: access, kit.
"""
