"""The command line: `modelbank enrol` plays the directory, `modelbank serve` runs the banks."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

import msgspec

from modelbank.config import load_config
from modelbank.enrol import BANKS, Enrolment, enrol
from modelbank.quirks import PACKS, Quirk
from modelbank.serve import PortTaken, serve


def main() -> int:
    """Run a command and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="modelbank: %(message)s", stream=sys.stderr)
    arguments = _parser().parse_args()
    return int(arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modelbank", description="A pretend bank that speaks UK Open Banking v4.0.")
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve", help="run the pretend banks")
    serving.add_argument("--config", type=Path, required=True, help="modelbank.json, as enrol wrote it")
    serving.add_argument("--dsn", help="PostgreSQL instead of the configuration's (or MODELBANK_DSN)")
    serving.set_defaults(run=_serve)
    enrolling = commands.add_parser("enrol", help="make certificates, keys and configuration for the banks and one client")
    enrolling.add_argument("--out", type=Path, required=True, help="folder to write to; keys that are there are kept")
    enrolling.add_argument("--pages-port", type=int, default=8100)
    enrolling.add_argument("--api-port", type=int, default=8101)
    enrolling.add_argument("--redirect-uri", action="append", dest="redirect_uris", help="where customers return to")
    enrolling.add_argument("--dsn", default="postgresql://localhost/modelbank")
    enrolling.add_argument("--client-name", default="Strongroom", help="the client's name, as customers see it")
    enrolling.add_argument("--headless", action="store_true", help="agree to everything without asking a customer")
    quirk_help = "let a bank fail in this way, for everybody; may be given several times"
    enrolling.add_argument("--quirk", action="append", default=[], type=_bank_quirk, metavar="BANK=QUIRK", help=quirk_help)
    enrolling.set_defaults(run=_enrol)
    quirks = commands.add_parser("quirks", help="list the ways in which a bank can be made to fail")
    quirks.set_defaults(run=_quirks)
    return parser


def _bank_quirk(text: str) -> tuple[str, Quirk]:
    bank, _, name = text.partition("=")
    if bank not in {one.id for one in BANKS} or name not in set(Quirk):
        raise argparse.ArgumentTypeError(f"{text} is no BANK=QUIRK; `modelbank quirks` lists the quirks")
    return bank, Quirk(name)


def _quirks(_arguments: argparse.Namespace) -> int:
    for pack in PACKS:
        print(f"{pack.quirk:<16} {pack.username:<10} £{pack.amount_minor / 100:<8.2f} {pack.happens}")  # noqa: T201  # a command's own words
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    try:
        config = load_config(arguments.config)
    except (OSError, msgspec.MsgspecError) as wrong:
        print(f"modelbank: {arguments.config}: {wrong}", file=sys.stderr)  # noqa: T201  # a command's own words
        return 2
    dsn = arguments.dsn or os.environ.get("MODELBANK_DSN") or config.dsn
    config = msgspec.structs.replace(config, dsn=dsn)
    try:
        asyncio.run(serve(config, arguments.config.resolve().parent))
    except PortTaken as taken:
        print(f"modelbank: {taken}", file=sys.stderr)  # noqa: T201  # as above
        return 3
    return 0


def _enrol(arguments: argparse.Namespace) -> int:
    enrol(
        arguments.out,
        Enrolment(
            pages_port=arguments.pages_port,
            api_port=arguments.api_port,
            redirect_uris=tuple(arguments.redirect_uris or ("http://localhost:8000/callback",)),
            dsn=arguments.dsn,
            client_name=arguments.client_name,
            headless=arguments.headless,
            quirks={bank: [quirk for at, quirk in arguments.quirk if at == bank] for bank, _ in arguments.quirk},
        ),
    )
    print(f"modelbank: {arguments.out / 'modelbank.json'} and {arguments.out / 'tpp.json'} are ready")  # noqa: T201  # as above
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
