"""`strongroom otp-tokens`: an issuer's devices at the operator's desk. Whatever needs people asks who they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import App, Parameter

from strongroom.access.issuers import Issuers
from strongroom.access.staff import Staff
from strongroom.commands.desk import Desk, ask_member, ask_secret, open_desk, operator, say, say_fields, say_table, show_time
from strongroom.commands.failure import Failed
from strongroom.commands.otp_token_files import import_file
from strongroom.notify.messages import Messages
from strongroom.notify.texts import Texts
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.devices.model import CodeAccepted, Refused, Token
from strongroom.sca.devices.otp_tokens import LIST_MAX, OtpTokens
from strongroom.sca.devices.states import TokenState
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Locked
from strongroom.wiring import message_limits

app = App(name="otp-tokens", help="Manage the devices of an issuer's cardholders.")
app.command(import_file, name="import")

Serial = Annotated[str, Parameter(help="The number printed on the device")]
Issuer = Annotated[str, Parameter(name="--issuer", help="The issuer (iss-…)")]


@app.command(name="list")
async def list_tokens(
    *, issuer: Issuer, status: Annotated[TokenState | None, Parameter(help="Only tokens in this state")] = None
) -> None:
    """List an issuer's tokens by serial."""
    rows, after = [], None
    async with open_desk() as desk:
        tokens, issuer_id = _tokens(desk), (await Issuers(desk.db).get(issuer)).id
        while page := await tokens.list_tokens(issuer_id, state=status, after=after):
            rows += [
                (one.serial, one.kind, one.state, one.cardholder_id or "", one.failures, show_time(one.locked_until))
                for one in page
            ]
            after = page[-1].serial if len(page) == LIST_MAX else None
            if after is None:
                break
    say_table(("serial", "kind", "state", "cardholder", "failures", "locked until"), rows)


@app.command
async def show(serial: Serial, *, issuer: Issuer) -> None:
    """Show a token. Its seed is shown to nobody."""
    async with open_desk() as desk:
        _say(await _tokens(desk).get((await Issuers(desk.db).get(issuer)).id, serial))


@app.command
async def assign(serial: Serial, *, issuer: Issuer) -> None:
    """Give a token from the stock to the holder of a card, whose number is asked for at the prompt."""
    pan = ask_secret("Card number")
    async with open_desk() as desk:
        issuer_id = (await Issuers(desk.db).get(issuer)).id
        _say(await _tokens(desk).assign_to_card(issuer_id, operator(), serial, pan))


@app.command
async def unassign(serial: Serial, *, issuer: Issuer) -> None:
    """Take a token back into the stock."""
    await _move(serial, issuer, lambda tokens: tokens.unassign)


@app.command
async def activate(serial: Serial, *, issuer: Issuer) -> None:
    """Let an assigned token's codes count."""
    await _move(serial, issuer, lambda tokens: tokens.activate)


@app.command
async def block(serial: Serial, *, issuer: Issuer) -> None:
    """Let no code count until two people unblock it."""
    await _move(serial, issuer, lambda tokens: tokens.block)


@app.command
async def unlock(serial: Serial, *, issuer: Issuer) -> None:
    """End a lock before its time."""
    await _move(serial, issuer, lambda tokens: tokens.unlock)


@app.command
async def retire(serial: Serial, *, issuer: Issuer) -> None:
    """Let a token never count again."""
    await _move(serial, issuer, lambda tokens: tokens.retire)


@app.command
async def replace(serial: Serial, by: Annotated[str, Parameter(help="The token that takes its place")], *, issuer: Issuer) -> None:
    """Retire a cardholder's token and give them another, which is still to be activated."""
    async with open_desk() as desk:
        _say(await _tokens(desk).replace((await Issuers(desk.db).get(issuer)).id, operator(), serial, by))


@app.command
async def resynchronise(
    serial: Serial,
    first: Annotated[str, Parameter(help="A code that the device showed")],
    second: Annotated[str, Parameter(help="The very next code")],
    *,
    issuer: Issuer,
    question: Annotated[str | None, Parameter(help="What was typed into an OCRA device, both times the same digits")] = None,
) -> None:
    """Find a device that counted or drifted away. A wrong pair counts as a wrong code."""
    async with open_desk() as desk:
        issuer_id = (await Issuers(desk.db).get(issuer)).id
        token = await _tokens(desk).get(issuer_id, serial)
        if token.cardholder_id is None:
            raise Failed(f"{serial} is nobody's")
        if not token.is_asked_by(question):
            raise Failed(f"{serial}: --question is what was typed into an OCRA device, and into no other")
        judging = Verification(desk.db, desk.vault, _cardholders(desk))
        judged = await judging.resynchronise(
            issuer_id, operator(), token.cardholder_id, first, second, serial=serial, question=question
        )
    match judged:
        case CodeAccepted():
            say(f"{serial} is in step again.")
        case Locked():
            raise Failed(f"{serial} is locked for {judged.seconds} seconds")
        case Refused():
            raise Failed(f"{serial} cannot be resynchronised: {judged.reason}")
        case _:
            raise Failed(f"these are not two codes in a row; {judged.attempts_left} tries are left")


@app.command
async def ask_unblock(serial: Serial, *, issuer: Issuer) -> None:
    """Ask, as the first of two people, for a blocked token to be unblocked."""
    async with open_desk() as desk:
        known = await Issuers(desk.db).get(issuer)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, f"Who asks for {serial} to be unblocked?")
        await _tokens(desk).ask_unblock(member, serial)
    say(f"Another member of staff approves it: strongroom otp-tokens approve-unblock {serial} --issuer {known.id}")


@app.command
async def approve_unblock(serial: Serial, *, issuer: Issuer) -> None:
    """Unblock a token that another person asked for. Make sure who holds it."""
    async with open_desk() as desk:
        known = await Issuers(desk.db).get(issuer)
        member = await ask_member(Staff(desk.db, desk.vault), known.id, f"Who approves that {serial} is unblocked?")
        _say(await _tokens(desk).approve_unblock(member, serial))


async def _move(serial: str, issuer: str, named: Callable[[OtpTokens], Callable[[str, str, str], Awaitable[Token]]]) -> None:
    async with open_desk() as desk:
        _say(await named(_tokens(desk))((await Issuers(desk.db).get(issuer)).id, operator(), serial))


def _cardholders(desk: Desk) -> Cardholders:
    return Cardholders(desk.db, desk.vault, Issuers(desk.db), Messages(desk.db, desk.vault, message_limits(desk.settings)), Texts())


def _tokens(desk: Desk) -> OtpTokens:
    return OtpTokens(desk.db, desk.vault, _cardholders(desk))


def _say(token: Token) -> None:
    say_fields(
        {
            "serial": token.serial,
            "state": token.state,
            "kind": token.suite.text if token.suite else f"{token.kind} {token.algorithm}, {token.digits} digits",
            "cardholder": token.cardholder_id or "(nobody)",
            "failures": token.failures,
            "locked until": show_time(token.locked_until) or "(not locked)",
        }
    )
