import base64
import json
import secrets
from pathlib import Path

import pytest

from strongroom.kit.rootkeys import FileKeeper, parse_root_keys
from strongroom.settings import Environment, SettingsError
from strongroom.settings_faults import are_sample_keys
from strongroom.settings_reading import explain, load_settings

DEVELOPMENT = {
    "STRONGROOM_ENVIRONMENT": "development",
    "STRONGROOM_BASE_URL": "http://localhost:8000/",
    "STRONGROOM_DATABASE_URL": "postgresql://app:hunter2@db/strongroom",
    "STRONGROOM_KEYS": '{"active": 1}',
    "STRONGROOM_AUDIT_ROOTS_FILE": "roots.jsonl",
    "STRONGROOM_SMS_GATEWAY": "inbox",
    "STRONGROOM_INBOX_URL": "http://127.0.0.1:8025",
}


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    FileKeeper(tmp_path / "keys.json").create()
    (tmp_path / "tpp.json").write_text('{"banks": [{"issuer": "https://ob.bank.example"}]}')
    return {
        "STRONGROOM_BASE_URL": "https://pay.example.com",
        "STRONGROOM_DATABASE_URL": "postgresql://app:hunter2@db/strongroom",
        "STRONGROOM_KEYS_FILE": str(tmp_path / "keys.json"),
        "STRONGROOM_AUDIT_ROOTS_FILE": "roots.jsonl",
        "STRONGROOM_SMS_GATEWAYS_FILE": "sms.toml",
        "STRONGROOM_BANKS_DIRECTORY": str(tmp_path / "tpp.json"),
        "STRONGROOM_PROVIDER_LEGAL_NAME": "Provider Ltd",
        "STRONGROOM_PROVIDER_HEAD_OFFICE": "1 High Street, London",
        "STRONGROOM_PROVIDER_REFERENCE_NUMBER": "123456",
        "STRONGROOM_PROVIDER_SUPERVISOR": "Financial Conduct Authority",
        "STRONGROOM_PROVIDER_CONTACT": "help@provider.example",
        "STRONGROOM_PROVIDER_ROLE": "own",
    }


def faults_of(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ)
    return "\n".join(refused.value.faults)


def test_development_settings_load_and_the_base_url_loses_its_slash():
    settings = load_settings(DEVELOPMENT)
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.base_url == "http://localhost:8000"
    assert settings.port == 8000


def test_everything_missing_is_listed_at_once():
    faults = faults_of({})
    assert all(name in faults for name in ("BASE_URL", "DATABASE_URL", "AUDIT_ROOTS_FILE"))


def test_a_misspelt_variable_is_refused_and_not_ignored():
    assert "STRONGROOM_PROT" in faults_of(DEVELOPMENT | {"STRONGROOM_PROT": "9"})


def test_a_value_above_its_ceiling_is_refused():
    assert "DATABASE_POOL_SIZE" in faults_of(DEVELOPMENT | {"STRONGROOM_DATABASE_POOL_SIZE": "101"})


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / "settings.toml"
    file.write_text('port = 9000\nhost = "0.0.0.0"\n')
    settings = load_settings(DEVELOPMENT | {"STRONGROOM_SETTINGS_FILE": str(file), "STRONGROOM_PORT": "9001"})
    assert (settings.port, settings.host) == (9001, "0.0.0.0")  # noqa: S104  # only read, never bound


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path):
    file = tmp_path / "settings.json"
    file.write_text('{"prot": 1}')
    assert "'prot'" in faults_of(DEVELOPMENT | {"STRONGROOM_SETTINGS_FILE": str(file)})


def test_secrets_are_masked_in_explain_and_in_print():
    shown = repr(explain(DEVELOPMENT)) + repr(load_settings(DEVELOPMENT))
    assert "hunter2" not in shown
    assert '{"active": 1}' not in shown


def test_explain_says_where_each_value_came_from():
    by_name = {setting.name: setting for setting in explain(DEVELOPMENT)}
    assert by_name["base_url"].source == "environment"
    assert by_name["port"].source == "default"
    assert by_name["database_url"].value == "[secret]"
    assert all(setting.meaning for setting in by_name.values())
    assert {setting.name: setting for setting in explain({})}["base_url"].source == "missing"


def test_keys_come_from_exactly_one_place():
    assert "exactly one" in faults_of(DEVELOPMENT | {"STRONGROOM_KEYS_FILE": "keys.json"})


@pytest.mark.parametrize("hosts", ["https://issuer.example", "issuer.example/x", "a b", "user@issuer.example"])
def test_issuers_hosts_are_hosts_and_nothing_else(hosts: str):
    assert "ISSUING_HOSTS" in faults_of(DEVELOPMENT | {"STRONGROOM_ISSUING_HOSTS": hosts})


def test_a_certificate_for_calling_issuers_needs_its_key():
    assert "ISSUING_KEY" in faults_of(DEVELOPMENT | {"STRONGROOM_ISSUING_CERTIFICATE": "hub.pem"})


@pytest.mark.parametrize("name", ["STRONGROOM_TLS_PORT", "STRONGROOM_WORKER_METRICS_PORT"])
def test_a_port_that_may_be_left_out_is_a_port_when_it_is_given(name: str):
    tls = {f"STRONGROOM_TLS_{one}": "/some/file.pem" for one in ("CERTIFICATE", "KEY", "CLIENT_CA")}
    with_port = load_settings(DEVELOPMENT | tls | {"STRONGROOM_TLS_PORT": "8443", name: "9443"})
    assert 9443 in (with_port.tls_port, with_port.worker_metrics_port)
    with pytest.raises(SettingsError, match="cannot be used"):
        load_settings(DEVELOPMENT | tls | {"STRONGROOM_TLS_PORT": "8443", name: "0"})


def test_the_listener_for_mutual_tls_needs_all_its_files():
    with pytest.raises(SettingsError, match="TLS_KEY is missing"):
        load_settings(DEVELOPMENT | {"STRONGROOM_TLS_PORT": "8443", "STRONGROOM_TLS_CERTIFICATE": "/some/file.pem"})


def test_issuers_hosts_are_separated_by_commas():
    hosts = load_settings(DEVELOPMENT | {"STRONGROOM_ISSUING_HOSTS": "Issuer.example, isas.bank.example:8443,"}).issuer_hosts
    assert hosts == {"issuer.example", "isas.bank.example:8443"}


def test_complete_production_settings_load(production: dict[str, str]):
    provider = load_settings(production).provider()
    assert provider is not None
    assert provider.reference_number == "123456"


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("BASE_URL", "http://pay.example.com", "https://"),
        ("SMS_GATEWAY", "inbox", "inbox"),
        ("WEBHOOK_ALLOW_LOOPBACK", "true", "loopback"),
        ("BANKS_DIRECTORY", "", "BANKS_DIRECTORY"),
        ("ISSUING_HOSTS", "issuer.example,localhost:8443", "localhost:8443"),
        ("ISSUING_HOSTS", "127.0.0.1", "127.0.0.1"),
        ("PROVIDER_LEGAL_NAME", "", "PROVIDER_LEGAL_NAME"),
        ("PROVIDER_REFERENCE_NUMBER", "", "PROVIDER_REFERENCE_NUMBER"),
        ("PROVIDER_ROLE", "agent", "PROVIDER_AGENT_OF"),
    ],
)
def test_production_refuses_what_is_unsafe(production: dict[str, str], variable: str, value: str, named: str):
    changed = production | {f"STRONGROOM_{variable}": value, "STRONGROOM_INBOX_URL": "http://127.0.0.1:1"}
    assert named in faults_of(changed)


@pytest.mark.parametrize("url", ["https://127.0.0.1:9443/x", "http://bank-one.localhost:8443", "https://[::1]/"])
def test_production_refuses_the_model_bank(production: dict[str, str], url: str):
    Path(production["STRONGROOM_BANKS_DIRECTORY"]).write_text(json.dumps({"banks": [{"name": "x", "issuer": url}]}))
    assert "model bank" in faults_of(production)


def test_production_refuses_sample_keys(production: dict[str, str]):
    zeros = base64.b64encode(bytes(32)).decode()
    text = json.dumps({"active": 1, "index": base64.b64encode(secrets.token_bytes(32)).decode(), "keys": {"1": zeros}})
    changed = production | {"STRONGROOM_KEYS": text}
    del changed["STRONGROOM_KEYS_FILE"]
    assert "samples" in faults_of(changed)


def test_random_keys_are_never_taken_for_samples(tmp_path: Path):
    for number in range(50):
        keeper = FileKeeper(tmp_path / f"{number}.json")
        keeper.create()
        assert not are_sample_keys(parse_root_keys(keeper.path.read_text()))
