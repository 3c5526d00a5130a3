import asyncio
import getpass
import io
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import oath
import pyotp
import pytest
from pskc import PSKC

from strongroom.cli import AWAY, REFUSED, UNUSABLE, USAGE, run
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import FileKeeper
from strongroom.sca.cardholding.model import Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.settings import SettingsError
from strongroom.settings_reading import load_settings
from strongroom.wiring import build
from tests.safetoken.authorities import Authority

NOTHING = "strongroom: There is no such thing here\n"
Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def strongroom(database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    environment = {
        "ENVIRONMENT": "test",
        "BASE_URL": "http://localhost:8000",
        "DATABASE_URL": database.dsn,
        "KEYS_FILE": str(tmp_path / "keys.json"),
        "AUDIT_ROOTS_FILE": str(tmp_path / "roots.jsonl"),
        "SMS_GATEWAY": "inbox",
        "INBOX_URL": "http://127.0.0.1:8025",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"STRONGROOM_{name}", value)

    async def command(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = await asyncio.to_thread(run, list(arguments))  # a command runs a loop of its own
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
async def owner(database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


def field(text: str, name: str) -> str:
    found = re.search(rf"^{name}: +(\S+)$", text, re.MULTILINE)
    assert found, text
    return found[1]


async def test_from_keys_to_a_firm_with_a_client_and_a_token(strongroom: Command, tmp_path: Path):
    assert (await strongroom("keys", "init"))[0] == 0
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert "unchanged" in (await strongroom("keys", "init"))[1]
    firm = field((await strongroom("firms", "create", "Mulberry & Co"))[1], "firm")
    made = (await strongroom("clients", "create", "case system", "--scope", "funds:read"))[1]
    assert (await strongroom("clients", "create", "x", "--scope", "funds:raed"))[0] == REFUSED
    client, secret = field(made, "client_id"), field(made, "client_secret")
    assert firm in (await strongroom("firms", "list"))[1]
    listed = (await strongroom("clients", "list"))[1]
    assert client in listed
    assert secret not in listed
    rotated = (await strongroom("clients", "rotate-secret", client, "--overlap-seconds", "60"))[1]
    assert field(rotated, "client_secret") != secret
    token = (await strongroom("tokens", "create", client, "nightly run", "--days", "30"))[1]
    assert "nightly run" in (await strongroom("tokens", "list"))[1]
    assert (await strongroom("tokens", "revoke", field(token, "token")))[0] == 0
    assert (await strongroom("clients", "disable", client))[0] == 0
    code, _, said = await strongroom("clients", "disable", client)
    assert (code, said) == (REFUSED, "strongroom: There is no such thing here\n")


async def test_firm_settings_are_shown_and_changed(strongroom: Command):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    assert (await strongroom("firms", "set", "unique_case_ref=true", "quiet_from=21:00", "--name", "Mulberry LLP"))[0] == 0
    shown = (await strongroom("firms", "show"))[1]
    assert "unique_case_ref = True" in shown
    assert "quiet_from = '21:00'" in shown
    assert "Mulberry LLP" in shown
    assert (await strongroom("firms", "set", "quiet_from=none"))[0] == 0
    assert (await strongroom("firms", "set", "nonsense=1"))[0] == REFUSED
    assert (await strongroom("firms", "set"))[0] == REFUSED


async def test_with_several_firms_one_must_be_named(strongroom: Command):
    await strongroom("keys", "init")
    assert "firms create" in (await strongroom("clients", "list"))[2]
    first = field((await strongroom("firms", "create", "First"))[1], "firm")
    await strongroom("firms", "create", "Second")
    code, _, said = await strongroom("clients", "list")
    assert (code, "--firm" in said) == (REFUSED, True)
    assert (await strongroom("clients", "list", "--firm", first))[0] == 0
    assert (await strongroom("clients", "list", "--firm", "Robert'); DROP TABLE firms"))[0] == REFUSED


async def test_a_person_is_added_with_a_password_and_an_authenticator(strongroom: Command):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    code, out, said = await strongroom("staff", "create", "Anne", "anne@firm.example", typed="correct horse battery\n")
    assert code == 0, said
    assert len(parse_qs(urlsplit(field(out, "authenticator")).query)["secret"][0]) == 32
    assert "correct horse" not in out + said
    assert "anne@firm.example" in (await strongroom("staff", "list"))[1]
    code, _, said = await strongroom("staff", "create", "Bob", "bob@firm.example", typed="short\n")
    assert (code, "characters" in said) == (REFUSED, True)
    assert (await strongroom("staff", "disable", field(out, "staff")))[0] == 0


async def test_a_firm_without_questions_has_empty_lists_and_says_so(strongroom: Command):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    assert (await strongroom("payments", "list"))[1].count("(none)") == 2
    assert (await strongroom("reviews", "list"))[:2] == (0, "(none)\n")
    assert "0 people are past the term of 2192 days" in (await strongroom("retention", "due"))[1]
    assert (await strongroom("retention", "erase", "cst-none"))[0] == REFUSED
    assert (await strongroom("retention", "hold", "cse-none"))[0] == REFUSED
    code, _, said = await strongroom("payments", "approve", "fnd-none")
    assert (code, "strongroom payments list" in said) == (REFUSED, True)
    code, _, said = await strongroom("payments", "propose", "pay-none", "guessed", "--note", "x")
    assert code == USAGE


async def test_only_a_member_of_staff_says_what_became_of_a_payment(strongroom: Command):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    made = (await strongroom("staff", "create", "Anne", "anne@firm.example", typed="correct horse battery\n"))[1]
    code = pyotp.parse_uri(field(made, "authenticator")).now()
    typed = f"anne@firm.example\ncorrect horse battery\n{code}\n"
    propose = ("payments", "propose", "pay-none", "not-debited", "--note", "nothing on the statement")
    assert "refused" in (await strongroom(*propose, typed=typed.replace("horse", "donkey")))[2]
    assert (await strongroom(*propose, typed=typed))[::2] == (
        REFUSED,
        "Who found it?\nE-mail: strongroom: There is no such thing here\n",
    )


async def test_root_keys_rotate_while_everything_stays_readable(strongroom: Command, tmp_path: Path):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    await strongroom("staff", "create", "Anne", "anne@firm.example", typed="correct horse battery\n")
    assert "Root key 2 is active; 1 keys" in (await strongroom("keys", "rotate", "--tenants"))[1]
    assert (await strongroom("keys", "retire"))[0] == REFUSED
    os.utime(tmp_path / "keys.json", (time.time() - 100,) * 2)
    assert "Removed: 1" in (await strongroom("keys", "retire"))[1]
    listed = (await strongroom("keys", "list"))[1]
    assert "active" in listed
    assert set(FileKeeper(tmp_path / "keys.json").load().keys) == {2}
    assert "anne@firm.example" in (await strongroom("staff", "list"))[1]


async def test_audit_verify_finds_an_altered_entry(strongroom: Command, database, owner: asyncpg.Connection):
    await strongroom("keys", "init")
    await strongroom("firms", "create", "Mulberry & Co")
    worker = await Database.connect(database.worker_dsn, role="strongroom_worker", size=1)
    for _ in range(200):  # a transaction of another test of the cluster may hold sealing up
        if await audit.seal_entries(worker):
            break
        await asyncio.sleep(0.05)
    await worker.close()
    assert (await strongroom("audit", "verify"))[:2] == (0, "The audit trail is whole.\n")
    await owner.execute("UPDATE audit_entries SET actor = 'somebody else'")
    code, out, _ = await strongroom("audit", "verify")
    assert (code, "altered" in out) == (1, True)


async def test_settings_are_explained_without_secrets_and_checked(strongroom: Command, monkeypatch: pytest.MonkeyPatch):
    out = (await strongroom("settings", "explain"))[1]
    assert "STRONGROOM_DATABASE_URL = [secret]" in out
    assert (await strongroom("settings", "check"))[0] == 0
    monkeypatch.delenv("STRONGROOM_BASE_URL")
    code, _, said = await strongroom("settings", "check")
    assert (code, "STRONGROOM_BASE_URL is missing" in said) == (UNUSABLE, True)


async def test_a_slip_in_the_bank_directory_is_named_by_the_check_and_at_the_start(
    strongroom: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    await strongroom("keys", "init")
    assert "There are no banks." in (await strongroom("settings", "check"))[1]
    oak = {"id": "oak", "name": "Oak Bank", "issuer": "https://oak.example", "organisation_id": "1", "logo": "oak.svg"}
    (tmp_path / "tpp.json").write_text(json.dumps({"org_id": "o", "software_id": "s", "client_id": "c", "banks": [oak]}))
    monkeypatch.setenv("STRONGROOM_BANKS_DIRECTORY", str(tmp_path / "tpp.json"))
    fault = "STRONGROOM_BANKS_DIRECTORY: tpp.json: bank oak, logo oak.svg: No such file or directory"
    code, _, said = await strongroom("settings", "check")
    assert (code, fault in said) == (UNUSABLE, True)
    with pytest.raises(SettingsError, match=fault):  # what `serve` and `worker` build at their start
        await build(load_settings(os.environ))


async def test_failures_are_plain_sentences_with_exit_codes(strongroom: Command, monkeypatch: pytest.MonkeyPatch):
    code, _, said = await strongroom("firms", "list")
    assert (code, "keys init" in said) == (UNUSABLE, True)
    await strongroom("keys", "init")
    assert (await strongroom("nonsense"))[0] == USAGE
    assert (await strongroom("clients", "create"))[0] == USAGE
    monkeypatch.setenv("STRONGROOM_DATABASE_URL", "postgresql://nobody@/x?host=/nowhere")
    code, _, said = await strongroom("firms", "list")
    assert (code, "Traceback" in said) == (AWAY, False)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["clients", "--help"], ["clients", "create", "--help"], ["--version"]])
async def test_help_helps(strongroom: Command, arguments: list[str]):
    code, out, _ = await strongroom(*arguments)
    assert code == 0
    assert out.strip()


async def pin_and_unpin(strongroom: Command, issuer: str, folder: Path) -> None:
    """Pin two certificates, so that one can follow the other, and take the first away."""
    authority = Authority(folder, "authority")
    first, second = (authority.issue(name) for name in ("first", "second"))
    for one in (first, second, second):
        assert (await strongroom("issuers", "pin", issuer, str(one.certificate_file), "--as", "hub"))[0] == 0
    assert f"hub_certificate_hashes = {(first.hash, second.hash)!r}" in (await strongroom("issuers", "show", issuer))[1]
    assert (await strongroom("issuers", "unpin", issuer, str(first.certificate_file), "--as", "hub"))[0] == 0
    assert f"hub_certificate_hashes = {(second.hash,)!r}" in (await strongroom("issuers", "show", issuer))[1]
    assert (await strongroom("issuers", "unpin", issuer, str(first.certificate_file), "--as", "hub"))[0] == REFUSED
    assert (await strongroom("issuers", "pin", issuer, str(first.key_file), "--as", "remote-signer"))[0] == REFUSED


async def test_messages_are_shown_as_a_funnel_and_a_pause_is_seen_and_lifted(strongroom: Command, owner: asyncpg.Connection):
    await strongroom("keys", "init")
    assert "(none)" in (await strongroom("messages", "funnel"))[1]
    await owner.execute(
        """INSERT INTO messages (tenant_id, id, purpose, urgent, key_hash, recipient_hash, no_log, valid_until, country, gateway,
                                 sent_at, delivered_at, used_at)
           SELECT 'frm-1', 'msg-' || n, 'login_code', true, n::text::bytea, 'x', true, app_now(), 'GB', 'twilio', app_now(),
                  CASE WHEN n < 4 THEN app_now() END, CASE WHEN n = 1 THEN app_now() END FROM generate_series(1, 4) n;
           INSERT INTO message_refusals VALUES (date_trunc('hour', app_now()), 'prefix', 'login_code', 'GB', 7);
           INSERT INTO message_pauses
           VALUES ('mps-1', 'prefix', 'GB', 'hash', true, 20, 1, app_now(), app_now() + interval '1 hour')"""
    )
    shown = (await strongroom("messages", "funnel"))[1].splitlines()
    assert [line.split() for line in shown[2:]] == [
        ["login_code", "GB", "-", "7", "0", "0", "0", "-", "prefix", "7"],
        ["login_code", "GB", "twilio", "4", "4", "3", "1", "25%", "-"],
    ]
    told = json.loads((await strongroom("messages", "funnel", "--hours", "2", "--json"))[1])
    assert told["steps"][1] == {
        "purpose": "login_code", "country": "GB", "gateway": "twilio", "asked": 4, "sent": 4, "delivered": 3, "used": 1,
        "refused": {},
    }  # fmt: skip
    long_ago = await strongroom("messages", "funnel", "--since", "2020-01-01T00:00:00", "--hours", "24", "--json")
    assert json.loads(long_ago[1]) == {
        "since": "2020-01-01T00:00:00+00:00", "until": "2020-01-02T00:00:00+00:00", "steps": []
    }  # fmt: skip
    assert (await strongroom("messages", "funnel", "--hours", "0"))[0] == REFUSED
    assert "block of numbers" in (await strongroom("messages", "paused"))[1]
    [pause] = json.loads((await strongroom("messages", "paused", "--json"))[1])["pauses"]
    assert (pause["id"], pause["country"], pause["stops"], pause["users"]) == ("mps-1", "GB", True, 1)
    assert "mps-1 is lifted" in (await strongroom("messages", "lift", "mps-1"))[1]
    assert (await strongroom("messages", "lift", "mps-1"))[0] == REFUSED
    assert "(none)" in (await strongroom("messages", "paused"))[1]
    assert await owner.fetchval("SELECT lifted_by FROM message_pauses") == f"operator:{getpass.getuser()}"


async def test_issuers_and_merchants_have_clients_and_signing_keys_rotate(strongroom: Command, tmp_path: Path):
    await strongroom("keys", "init")
    made = await strongroom("issuers", "create", "Mango Bank", "8", "--cards", "506181")
    issuer = field(made[1], "issuer")
    assert (await strongroom("issuers", "create", "Again", "8"))[0] == REFUSED
    assert (await strongroom("issuers", "set", issuer, "otp_digits=8", 'sms_countries=["NG"]', "--name", "Mango"))[0] == 0
    assert (await strongroom("issuers", "add-cards", issuer, "5399"))[0] == 0
    assert (await strongroom("issuers", "remove-cards", issuer, "506181"))[0] == 0
    shown = (await strongroom("issuers", "show", issuer))[1]
    assert "otp_digits = 8" in shown
    assert "sms_countries = ('NG',)" in shown
    assert "hosting = hosted" in shown
    assert "5399" in (await strongroom("issuers", "list"))[1]
    await pin_and_unpin(strongroom, issuer, tmp_path)
    merchant = field((await strongroom("merchants", "create", "Corner shop"))[1], "merchant")
    assert (await strongroom("merchants", "set", merchant, "begins_per_minute=5"))[0] == 0
    assert "begins_per_minute = 5" in (await strongroom("merchants", "show", merchant))[1]
    assert merchant in (await strongroom("merchants", "list"))[1]
    made = await strongroom("clients", "create", "host", "--issuer", issuer, "--profile", "merchant_code=MX1")
    client = field(made[1], "client_id")
    assert "safetoken:enrol" in (await strongroom("clients", "list", "--issuer", issuer))[1]
    assert (await strongroom("clients", "set-profile", client, "algorithm=RS256", "--issuer", issuer))[0] == 0
    assert (await strongroom("clients", "set-profile", client, "algorithm=none", "--issuer", issuer))[0] == REFUSED
    assert (await strongroom("clients", "create", "x", "--issuer", issuer, "--scope", "funds:read"))[0] == REFUSED
    assert merchant in (await strongroom("clients", "create", "till", "--merchant", merchant))[1]
    key = field((await strongroom("signing-keys", "rotate", "proof"))[1], "key")
    assert key in (await strongroom("signing-keys", "list"))[1]


async def person_at(strongroom: Command, issuer: str, name: str) -> str:
    """Add a member of an issuer's staff; return what they type to prove who they are."""
    email = f"{name.lower()}@bank.example"
    _, out, _ = await strongroom("staff", "create", name, email, "--firm", issuer, typed="correct horse battery\n")
    secret = parse_qs(urlsplit(field(out, "authenticator")).query)["secret"][0]
    return f"{email}\ncorrect horse battery\n{pyotp.TOTP(secret).now()}\n"


async def test_a_token_is_looked_after_at_the_desk_and_unblocked_by_two_people(strongroom: Command):
    await strongroom("keys", "init")
    _, out, _ = await strongroom("issuers", "create", "Mango Bank", "8", "--cards", "506181")
    issuer = field(out, "issuer")
    desk = partial(strongroom, "otp-tokens")
    house = await build(load_settings(os.environ))
    try:
        await house.otp_tokens.import_one(issuer, "operator:test", NewToken("A-1", Secret(b"12345678901234567890".hex())))
        assert "A-1" in (await desk("list", "--issuer", issuer))[1]
        code, _, err = await desk("assign", "A-1", "--issuer", issuer, typed="5061810000000152048\n")
        assert (code, err) == (REFUSED, "strongroom: There is no such cardholder\n")
        enrolment = Enrolment(Secret("5061810000000152048"), "2347011998877", {}, approved=True)
        await house.cardholders.enrol(issuer, "operator:test", enrolment)
    finally:
        await house.close()
    code, out, _ = await desk("assign", "A-1", "--issuer", issuer, typed="5061810000000152048\n")
    assert (code, field(out, "state")) == (0, "assigned")
    for verb, state in (("activate", "active"), ("block", "blocked")):
        code, out, _ = await desk(verb, "A-1", "--issuer", issuer)
        assert (code, field(out, "state")) == (0, state)
    ada, ben = await person_at(strongroom, issuer, "Ada"), await person_at(strongroom, issuer, "Ben")
    code, out, _ = await desk("ask-unblock", "A-1", "--issuer", issuer, typed=ada)
    assert "approve-unblock A-1" in out
    assert (await desk("approve-unblock", "A-1", "--issuer", issuer, typed=ben))[0] == 0
    code, out, _ = await desk("show", "A-1", "--issuer", issuer)
    assert field(out, "state") == "active"
    code, _, err = await desk("resynchronise", "A-1", "111111", "222222", "--issuer", issuer)
    assert (code, err) == (REFUSED, "strongroom: these are not two codes in a row; 4 tries are left\n")
    code, out, _ = await desk("resynchronise", "A-1", "287082", "359152", "--issuer", issuer)
    assert (code, out) == (0, "A-1 is in step again.\n")
    assert (await desk("show", "A-9", "--issuer", issuer))[2] == "strongroom: There is no token with this serial\n"


async def test_a_file_of_tokens_is_checked_then_taken(strongroom: Command, tmp_path: Path):
    await strongroom("keys", "init")
    issuer = field((await strongroom("issuers", "create", "Mango Bank", "8", "--cards", "506181"))[1], "issuer")
    file = tmp_path / "tokens.csv"
    file.write_text(
        "".join(f"A-{number},{b'12345678901234567890'.hex()},HOTP,6,0\n" for number in range(2500)) + "A-9,00,HOTP,6,0\n"
    )
    load = partial(strongroom, "otp-tokens", "import", str(file), "--issuer", issuer)
    code, out, _ = await load("--dry-run")
    assert (code, out.splitlines()[-1]) == (
        REFUSED,
        "2500 tokens would be taken, 0 were there already, 1 rows cannot be taken.",
    )
    assert "row 2501, serial 'A-9': A seed is 16 to 128 bytes in hexadecimal" in out
    assert "2500 tokens were taken, 0 were there already, 1 rows" in (await load())[1]
    file.write_text(file.read_text().removesuffix("A-9,00,HOTP,6,0\n"))
    assert await load() == (0, "0 tokens were taken, 2500 were there already, 0 rows cannot be taken.\n", "")
    assert (await strongroom("otp-tokens", "import", str(tmp_path / "none.csv"), "--issuer", issuer))[0] == REFUSED
    assert "--format" in (await strongroom("otp-tokens", "import", str(tmp_path / "keys.json"), "--issuer", issuer))[2]


async def test_devices_that_sign_are_taken_from_a_file_shown_and_resynchronised(strongroom: Command, tmp_path: Path):
    await strongroom("keys", "init")
    issuer = field((await strongroom("issuers", "create", "Mango Bank", "8", "--cards", "506181"))[1], "issuer")
    suite, seed, pan = "OCRA-1:HOTP-SHA1-6:C-QN08", b"12345678901234567890", "5061810000000152048"
    file = tmp_path / "tokens.csv"
    file.write_text(f"serial,seed,kind,suite\nO-1,{seed.hex()},ocra,{suite}\nO-2,{seed.hex()},ocra,{suite}-T1M\n")
    code, out, _ = await strongroom("otp-tokens", "import", str(file), "--issuer", issuer)
    assert code == REFUSED
    assert f"row 3, serial 'O-2': The suite {suite}-T1M has both a counter and the time in its codes" in out
    house = await build(load_settings(os.environ))
    try:
        enrolment = Enrolment(Secret(pan), "2347011998877", {}, approved=True)
        await house.cardholders.enrol(issuer, "operator:test", enrolment)
    finally:
        await house.close()
    desk = partial(strongroom, "otp-tokens")
    await desk("assign", "O-1", "--issuer", issuer, typed=f"{pan}\n")
    code, out, _ = await desk("activate", "O-1", "--issuer", issuer)
    assert field(out, "kind") == suite
    two = [str(oath.str2ocrasuite(suite)(seed, C=counter, Q="12345678")) for counter in (70, 71)]
    code, _, err = await desk("resynchronise", "O-1", *two, "--issuer", issuer)
    assert (code, err) == (REFUSED, "strongroom: O-1: --question is what was typed into an OCRA device, and into no other\n")
    code, out, _ = await desk("resynchronise", "O-1", *two, "--question", "12345678", "--issuer", issuer)
    assert (code, out) == (0, "O-1 is in step again.\n")


async def test_an_encrypted_file_asks_for_its_passphrase(strongroom: Command, tmp_path: Path):
    await strongroom("keys", "init")
    issuer = field((await strongroom("issuers", "create", "Mango Bank", "8", "--cards", "506181"))[1], "issuer")
    made = PSKC()
    made.add_key(
        id="1", serial="A-1", secret=b"12345678901234567890", algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp", counter=0
    )
    made.encryption.setup_pbkdf2("correct horse")
    made.write(str(tmp_path / "tokens.xml"))
    load = partial(strongroom, "otp-tokens", "import", str(tmp_path / "tokens.xml"), "--issuer", issuer)
    code, out, err = await load(typed="wrong horse\n")
    opened_to_nonsense = "does not have the MAC that it should: a wrong key" in out  # one wrong passphrase in sixteen
    assert code == REFUSED
    assert opened_to_nonsense or err == "strongroom: the file's MAC key does not open: a wrong key or passphrase\n"
    assert (await load(typed="correct horse\n"))[1].startswith("1 tokens were taken")
