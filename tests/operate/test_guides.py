"""The operator's guides, followed to the letter: what they print is what is run here."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from strongroom.kit import audit
from strongroom.kit.db import Database
from strongroom.kit.rootkeys import FileKeeper
from tests.conftest import run_folder
from tests.operate.installation import DATABASE, PASSWORD, Installation, installed
from tests.operate.server import DebianPostgres

pytestmark = [pytest.mark.needs("nginx"), pytest.mark.needs("pg_ctlcluster")]

CASE = {
    "caseRef": "SC00000001",
    "customers": [{"name": "Test Name", "email": "docs@example.com", "dateOfBirth": "1980-01-01", "phone": "447300000001"}],
}
BODY_LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="operate-", dir=run_folder()))
    folder.chmod(0o711)
    with installed(folder) as made:
        made.run("firms", "create", "Marlow Finch Solicitors")
        yield made


def take_token(caller: httpx.Client, client: dict[str, str], **headers: str) -> httpx.Response:
    body = {"grant_type": "client_credentials", "client_id": client["client_id"], "client_secret": client.get("client_secret", "")}
    return caller.post("/token", json={name: value for name, value in body.items() if value}, headers=headers)


def open_case(caller: httpx.Client, token: str, reference: str) -> str:
    answer = caller.post("/api/1.0/cases", json=CASE | {"caseRef": reference}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_firm_opens_a_case_through_nginx(installation: Installation):
    client = installation.make_client()
    with installation.client() as caller:
        token = take_token(caller, client).json()["access_token"]
        case_id = open_case(caller, token, "SC00000002")
        read = caller.get(f"/api/1.0/cases/{case_id}", headers={"Authorization": f"Bearer {token}"})
    assert read.json()["customers"][0]["name"] == "Test Name"
    assert read.headers["strict-transport-security"]


def test_a_customer_meets_the_website_under_its_public_name(installation: Installation):
    with installation.client() as caller:
        page = caller.get("/customer/", follow_redirects=True)
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


def test_health_and_metrics_are_for_this_machine_only(installation: Installation):
    inside = f"http://127.0.0.1:{installation.monitoring_port}"
    with installation.client() as caller:
        for path in ("/metrics", "/health/live", "/health/ready"):
            assert caller.get(path).status_code == 404
            assert httpx.get(inside + path, trust_env=False).status_code == 200
    assert httpx.get(f"{inside}/customer/", trust_env=False).status_code == 404


def test_a_certificate_counts_when_its_key_is_held_and_never_as_a_header_of_the_callers_own(installation: Installation):
    holder = installation.authority.issue("a firm's server")
    client = installation.make_client("--certificate", str(holder.certificate_file))
    with installation.client(holder) as caller:
        assert take_token(caller, client).status_code == 200
    with installation.client() as caller:
        assert take_token(caller, client, **{"Client-Cert": quote(holder.pem)}).status_code == 401


def test_who_fails_is_counted_by_the_address_that_nginx_sees(installation: Installation):
    stranger = {"client_id": "cli-0000000000000", "client_secret": "wrong"}
    with installation.client() as caller:
        answers = {
            take_token(caller, stranger, **{"X-Forwarded-For": f"198.51.100.{turn % 250}"}).status_code for turn in range(40)
        }
    assert answers == {401, 429}, "a pair of client and address has a limit, whatever addresses the caller makes up"


def test_a_report_by_address_is_taken_and_its_secret_is_in_no_log(installation: Installation):
    report = "/sms/reports/kannel?secret=a-random-secret-of-ours&id=msg-0000000000000&status=1"
    with installation.client() as caller:
        assert caller.get(report).status_code == 200
        assert caller.get(report.replace("random", "guessed")).status_code == 403
        assert caller.get("/sms/reporting").status_code == 404
    logged = "".join(file.read_text(errors="replace") for file in installation.folder.glob("*.log"))
    assert "/sms/reporting" in logged, "and nginx does keep a log"
    assert "secret-of-ours" not in logged


def test_a_body_beyond_the_limit_is_refused_before_it_reaches_the_product(installation: Installation):
    with installation.client() as caller:
        assert caller.post("/token", content=b"x" * (BODY_LIMIT + 1)).status_code == 413


def test_a_restored_database_is_the_one_of_its_point_and_the_audit_names_what_was_lost(tmp_path: Path):
    folder = Path(tempfile.mkdtemp(prefix="restore-", dir=run_folder()))
    folder.chmod(0o711)
    with installed(folder) as house:
        house.run("firms", "create", "Marlow Finch Solicitors")
        client = house.make_client()
        before_backup = open_a_case(house, client, "SC00000010")
        backup = house.postgres.back_up()
        after_backup = open_a_case(house, client, "SC00000011")
        asyncio.run(export_root(house))
        house.postgres.ask("SELECT pg_create_restore_point('wanted')")
        after_point = open_a_case(house, client, "SC00000012")
        asyncio.run(export_root(house))
        assert house.run("audit", "verify").strip() == "The audit trail is whole."
        house.postgres.ask("SELECT pg_switch_wal()")
        house.stop()
        lost = house.postgres
        lost.stop()
        house.postgres = DebianPostgres(folder / "restored")
        house.postgres.restore(backup, lost.archive, "wanted")
        house.postgres.start()
        house.environment["STRONGROOM_DATABASE_URL"] = house.postgres.dsn(DATABASE, "strongroom", PASSWORD)
        house.run("settings", "check")
        house.migrate()
        said = house.run("audit", "verify", expect=1)
        assert "the chain differs from the root exported at" in said
        house.start()
        with house.client() as caller:
            token = take_token(caller, client).json()["access_token"]
            found = {
                case_id: caller.get(f"/api/1.0/cases/{case_id}", headers={"Authorization": f"Bearer {token}"}).status_code
                for case_id in (before_backup, after_backup, after_point)
            }
        assert found == {before_backup: 200, after_backup: 200, after_point: 404}
        open_a_case(house, client, "SC00000012")


def open_a_case(house: Installation, client: dict[str, str], reference: str) -> str:
    with house.client() as caller:
        return open_case(caller, take_token(caller, client).json()["access_token"], reference)


async def export_root(house: Installation) -> None:
    """Do at once what the worker does every minute."""
    db = await Database.connect(house.environment["STRONGROOM_DATABASE_URL"], role="strongroom_worker", size=2)
    try:
        root = FileKeeper(Path(house.environment["STRONGROOM_KEYS_FILE"])).load()
        await audit.seal_entries(db)
        await audit.export_root(db, root, Path(house.environment["STRONGROOM_AUDIT_ROOTS_FILE"]))
    finally:
        await db.close()
