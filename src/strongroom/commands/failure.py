"""The one way in which a command says that it cannot be carried out."""

from __future__ import annotations


class Failed(Exception):
    """A command that cannot be carried out; the message is for the person at the terminal."""
