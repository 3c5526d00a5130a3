"""`python -m strongroom` is the command `strongroom`."""

from __future__ import annotations

from strongroom.cli import main

main()
