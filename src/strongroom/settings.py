"""Settings: one frozen, described object, read once at start from the environment and an optional file, and refused when unsafe.

Every field is `STRONGROOM_<NAME>` in the environment, or `<name>` in the TOML or JSON file that `STRONGROOM_SETTINGS_FILE` names.
The environment wins. No secret has a default. Whatever is missing, unknown or unsafe is told in one go.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from strongroom.kit.crypto import Secret
from strongroom.kit.listener import CertificateFiles
from strongroom.kit.rootkeys import FileKeeper, HeldKeys, RootKeyKeeper, RootKeysError, TextKeeper

if TYPE_CHECKING:
    from strongroom.kit.rootkeys_module import ModuleKeeper

PREFIX = "STRONGROOM_"
FILE_VARIABLE = "STRONGROOM_SETTINGS_FILE"
_FOR_TESTS = "STRONGROOM_TEST_"  # the test suite's own variables, which are no settings
_COUNTRY = re.compile(r"[A-Z]{2}")
_HOST = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
_LEAST_COOLING_OFF_SECONDS = 3600
_FEW_DISTINCT_BYTES = 16  # 32 random bytes have about 30 distinct values


class SettingsError(Exception):
    """The settings cannot be used; `faults` has one sentence for each thing wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("the settings cannot be used:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


class Environment(StrEnum):
    """What the process is for; production is the strict one, and the default, so that carelessness is strict too."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class ProviderRole(StrEnum):
    """Under whose licence payments are initiated and accounts are read."""

    OWN = "own"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Provider:
    """The regulated provider, as the pay and share pages name it (Payment Services Regulations 2017, reg. 43)."""

    legal_name: str
    head_office: str
    reference_number: str
    supervisor: str
    contact: str
    role: ProviderRole
    agent_of: str | None


class SmsGateway(StrEnum):
    """How text messages leave."""

    CONFIGURED = "configured"
    INBOX = "inbox"


class CountryWatch(StrEnum):
    """What the conversion watch does about a whole country."""

    ALARM = "alarm"
    PAUSE = "pause"


MOST_SMS = 10_000_000  # a ceiling for every limit, so that none is switched off
_NEEDED_FOR_SMS = {SmsGateway.CONFIGURED: "sms_gateways_file", SmsGateway.INBOX: "inbox_url"}

Port = Annotated[int, Meta(ge=1, le=65535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of all processes."""

    environment: Annotated[Environment, Meta(description="development, test or production; production refuses what is unsafe")] = (
        Environment.PRODUCTION
    )
    base_url: Annotated[str, Meta(description="Where customers and firms reach this service, such as https://pay.example.com")]
    database_url: Annotated[Secret, Meta(description="PostgreSQL, as a user that may act as strongroom_app and strongroom_worker")]
    migration_database_url: Annotated[
        Secret | None, Meta(description="PostgreSQL as the owner of the tables, for `strongroom migrate`; without it database_url")
    ] = None
    database_pool_size: Annotated[
        int, Meta(ge=1, le=100, description="Connections to PostgreSQL per process, at most 100; up to 4 more count text messages")
    ] = 16
    keys_file: Annotated[Path | None, Meta(description="The root keys, as `strongroom keys init` writes them; mode 600")] = None
    keys: Annotated[Secret | None, Meta(description="The root keys as JSON text, instead of keys_file")] = None
    keys_module: Annotated[
        Path | None, Meta(description="The PKCS#11 library of the hardware module that has the root keys, instead of keys_file")
    ] = None
    keys_module_token: Annotated[str | None, Meta(description="The label of the module's token")] = None
    keys_module_pin: Annotated[Secret | None, Meta(description="The PIN of the token's user")] = None
    keys_module_prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}\Z", description="What the labels of our keys in the module begin with")
    ] = "strongroom"
    audit_roots_file: Annotated[Path, Meta(description="Where signed audit roots are appended; keep it off the database's machine")]
    banks_directory: Annotated[Path | None, Meta(description="The file (tpp.json) that names the banks and our keys for them")] = (
        None
    )
    issuing_certificate: Annotated[
        Path | None, Meta(description="Our certificate for calling remote issuers (PEM, with its chain)")
    ] = None
    issuing_key: Annotated[Path | None, Meta(description="The key of issuing_certificate (PEM, mode 600)")] = None
    issuing_ca: Annotated[Path | None, Meta(description="The authorities that remote issuers' certificates come from")] = None
    issuing_hosts: Annotated[
        str, Meta(description="The only hosts that remote issuers may be called at: `host` or `host:port`, separated by commas")
    ] = ""
    soap_certificate: Annotated[
        Path | None,
        Meta(description="Our certificate that SOAP messages are signed with (PEM); read anew when it changes"),
    ] = None
    soap_key: Annotated[Path | None, Meta(description="The key of soap_certificate (PEM, mode 600)")] = None
    sms_gateway: Annotated[
        SmsGateway,
        Meta(description="How text messages leave: `configured` (the gateways of sms_gateways_file) or `inbox` (shown locally)"),
    ] = SmsGateway.CONFIGURED
    sms_gateways_file: Annotated[
        Path | None, Meta(description="The file that names the gateways of text messages, in the order in which they are tried")
    ] = None
    sms_countries: Annotated[
        str, Meta(description="Countries (ISO 3166) that text messages may go to, separated by commas, such as `GB,IE`; empty: any")
    ] = ""
    sms_home_countries: Annotated[
        str, Meta(description="Countries where most numbers are, separated by commas: they have the larger limits")
    ] = "GB,NG"
    sms_per_number_hour: Annotated[
        int, Meta(ge=1, le=10, description="Text messages to one number in an hour, over every firm; 5 in 10 minutes at any rate")
    ] = 10
    sms_per_number_day: Annotated[int, Meta(ge=1, le=10, description="Text messages to one number in a day, at most 10")] = 10
    sms_per_prefix_hour: Annotated[
        int, Meta(ge=1, le=MOST_SMS, description="Text messages in an hour to numbers that differ in their last four digits only")
    ] = 100
    sms_per_prefix_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="The same in a day")] = 500
    sms_per_country_hour: Annotated[int, Meta(ge=1, le=MOST_SMS, description="Text messages to one country in an hour")] = 500
    sms_per_country_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="Text messages to one country in a day")] = 2000
    sms_per_home_country_hour: Annotated[
        int, Meta(ge=1, le=MOST_SMS, description="Text messages to one of sms_home_countries in an hour")
    ] = 20_000
    sms_per_home_country_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="The same in a day")] = 200_000
    sms_per_address_hour: Annotated[
        int,
        Meta(ge=1, le=MOST_SMS, description="Codes asked for on the website from one network address (IPv6: one /64) in an hour"),
    ] = 100
    sms_per_address_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="The same in a day")] = 500
    sms_per_client_hour: Annotated[
        int, Meta(ge=1, le=MOST_SMS, description="Text messages caused by one API client, or by one hub, in an hour")
    ] = 3600
    sms_per_client_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="The same in a day")] = 36_000
    sms_per_tenant_hour: Annotated[
        int, Meta(ge=1, le=MOST_SMS, description="Text messages sent for one firm or issuer in an hour")
    ] = 3600
    sms_per_tenant_day: Annotated[int, Meta(ge=1, le=MOST_SMS, description="The same in a day")] = 36_000
    sms_watch_share_percent: Annotated[
        int,
        Meta(ge=0, le=100, description="Where fewer of the numbers that got a code used one, the watch acts; 0: no watch"),
    ] = 10
    sms_watch_prefix_numbers: Annotated[
        int, Meta(ge=5, le=10_000, description="So many numbers of a block must have got a code before the watch pauses it")
    ] = 20
    sms_watch_country_numbers: Annotated[
        int, Meta(ge=20, le=1_000_000, description="So many numbers of a country must have got a code before the watch acts")
    ] = 100
    sms_watch_window_seconds: Annotated[
        int, Meta(ge=600, le=86_400, description="How far back the watch looks, at codes whose life is over")
    ] = 3600
    sms_watch_country: Annotated[
        CountryWatch,
        Meta(description="What the watch does about a whole country: `alarm` tells of it, `pause` stops its text messages too"),
    ] = CountryWatch.ALARM
    sms_pause_seconds: Annotated[
        int, Meta(ge=60, le=86_400, description="How long a pause lasts; `strongroom messages lift` ends it before")
    ] = 3600
    inbox_url: Annotated[str | None, Meta(description="Where the message inbox of the gateway `inbox` listens")] = None
    host: Annotated[str, Meta(description="Address to listen on; health and metrics answer there too")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on")] = 8000
    worker_metrics_port: Annotated[
        Port | None,
        Meta(description="Port on 127.0.0.1 where a worker shows its metrics; without it nowhere"),
    ] = None
    tls_port: Annotated[
        Port | None,
        Meta(
            description="Port of a second listener, for mutual TLS without a proxy; client certificates are optional",
        ),
    ] = None
    tls_host: Annotated[str, Meta(description="Address that the listener of tls_port has")] = "127.0.0.1"
    tls_certificate: Annotated[
        Path | None, Meta(description="Certificate of that listener (PEM, with its chain); read anew when it changes")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="The key of tls_certificate (PEM, mode 600)")] = None
    tls_client_ca: Annotated[
        Path | None,
        Meta(description="The authorities that callers' certificates come from (PEM); others are refused in the handshake"),
    ] = None
    unix_socket: Annotated[Path | None, Meta(description="Unix socket to listen on instead of host and port")] = None
    trusted_proxy: Annotated[
        str | None,
        Meta(description="Whose X-Forwarded-For, X-Request-Id and client certificate count: `unix` or one IP address"),
    ] = None
    client_certificate_header: Annotated[
        str, Meta(description="Header with the client's certificate (RFC 9440 or URL-encoded PEM) from the trusted proxy")
    ] = "client-cert"
    webhook_allow_loopback: Annotated[bool, Meta(description="Let webhooks use http and loopback addresses; for development")] = (
        False
    )
    receiving_cooling_off_seconds: Annotated[
        int, Meta(ge=0, le=604_800, description="How long an approved receiving account waits before money may go to it")
    ] = 86_400
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1_048_576, description="Largest request body, at most 1 MiB")] = 65_536
    stop_grace_seconds: Annotated[int, Meta(ge=1, le=120, description="How long a stopping process finishes what it began")] = 30
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)\\Z", description="debug, info, warning or error")] = "info"
    retention_payments_days: Annotated[int, Meta(ge=2192, description="Payment and consent records; the law asks for 6 years")] = (
        2192
    )
    retention_shared_accounts_days: Annotated[int, Meta(ge=1, le=3650, description="Shared accounts that nobody used")] = 90
    retention_security_days: Annotated[int, Meta(ge=365, description="Security records, at least 12 months")] = 365
    provider_legal_name: Annotated[str | None, Meta(description="Regulated provider: legal name")] = None
    provider_head_office: Annotated[str | None, Meta(description="Regulated provider: address of the head office")] = None
    provider_reference_number: Annotated[str | None, Meta(description="Regulated provider: firm reference number")] = None
    provider_supervisor: Annotated[str | None, Meta(description="Regulated provider: its supervisor")] = None
    provider_contact: Annotated[str | None, Meta(description="Regulated provider: how customers reach it")] = None
    provider_role: Annotated[ProviderRole | None, Meta(description="own (our licence) or agent (another's)")] = None
    provider_agent_of: Annotated[str | None, Meta(description="Whose agent we are, when provider_role is agent")] = None

    @property
    def is_production(self) -> bool:
        """True where real people and real money are."""
        return self.environment is Environment.PRODUCTION

    @property
    def is_https(self) -> bool:
        """True when the service is reached over https; cookies and HSTS follow it."""
        return self.base_url.startswith("https://")

    @property
    def issuer_hosts(self) -> frozenset[str]:
        """Return the hosts that remote issuers may be called at."""
        return frozenset(host.strip().lower() for host in self.issuing_hosts.split(",") if host.strip())

    @property
    def sms_to(self) -> frozenset[str]:
        """Return the countries that text messages may go to; empty: any."""
        return _listed(self.sms_countries)

    @property
    def sms_home(self) -> frozenset[str]:
        """Return the countries with the larger limits."""
        return _listed(self.sms_home_countries)

    @property
    def migration_url(self) -> str:
        """Return the address of the database as its owner. A secret: do not print it."""
        return (self.migration_database_url or self.database_url).reveal()

    @property
    def tls_files(self) -> CertificateFiles | None:
        """Return the files of the listener for mutual TLS; None when there is none."""
        if self.tls_certificate is None or self.tls_key is None or self.tls_client_ca is None:
            return None
        return CertificateFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)

    def keeper(self) -> RootKeyKeeper:
        """Return the keeper of the root keys."""
        if self.keys_file is not None:
            return FileKeeper(self.keys_file)
        if self.keys is not None:
            return TextKeeper(self.keys.reveal())
        assert self.keys_module and self.keys_module_token and self.keys_module_pin  # noqa: S101, PT018  # load_settings sees to it
        return module_keeper(self.keys_module, self.keys_module_token, self.keys_module_pin, self.keys_module_prefix)

    def provider(self) -> Provider | None:
        """Return the regulated provider; None (outside production) when its details are not complete."""
        if provider_faults(self):
            return None
        return Provider(
            self.provider_legal_name or "",
            self.provider_head_office or "",
            self.provider_reference_number or "",
            self.provider_supervisor or "",
            self.provider_contact or "",
            self.provider_role or ProviderRole.OWN,
            self.provider_agent_of,
        )


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting as `strongroom settings explain` shows it."""

    name: str
    variable: str
    meaning: str
    default: str
    value: str
    source: str


_FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings. Raise SettingsError that lists everything missing, unknown, malformed or unsafe."""
    values, _, faults = _gather(environ)
    converted: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        if name not in values:
            if field.default is msgspec.NODEFAULT:
                faults.append(f"{PREFIX}{name.upper()} is missing: {_meaning(name)}")
            continue
        try:
            converted[name] = _convert(name, values[name])
        except msgspec.ValidationError as error:
            faults.append(f"{PREFIX}{name.upper()} cannot be used: {error}")
    if faults:
        raise SettingsError(faults)
    settings = Settings(**converted)
    settings = msgspec.structs.replace(settings, base_url=settings.base_url.rstrip("/"))
    if faults := [*_contradictions(settings), *(_unsafe(settings) if settings.is_production else ())]:
        raise SettingsError(faults)
    return settings


def explain(environ: Mapping[str, str]) -> list[Explained]:
    """Return every setting with its meaning, default, value (secrets masked) and where the value came from."""
    values, sources, _ = _gather(environ)
    return [
        Explained(
            name,
            f"{PREFIX}{name.upper()}",
            _meaning(name),
            _show_default(name),
            _show(name, values[name]) if name in values else _show_default(name),
            sources.get(name, "default" if field.default is not msgspec.NODEFAULT else "missing"),
        )
        for name, field in _FIELDS.items()
    ]


def provider_faults(settings: Settings) -> list[str]:
    """Return what is missing of the regulated provider's details (Payment Services Regulations 2017, reg. 43 and 138)."""
    needed = [name for name in _FIELDS if name.startswith("provider_") and name != "provider_agent_of"]
    if settings.provider_role is ProviderRole.AGENT:
        needed.append("provider_agent_of")
    return [
        f"{PREFIX}{name.upper()} is missing: without it initiating payments is an offence"
        for name in needed
        if not getattr(settings, name)
    ]


def module_keeper(module: Path, token: str, pin: Secret, prefix: str) -> ModuleKeeper:
    """Return the keeper of root keys in a hardware module. Raise RootKeysError where PKCS#11 is not installed."""
    try:
        from strongroom.kit.rootkeys_module import open_module  # noqa: PLC0415  # python-pkcs11 is an extra
    except ImportError:
        raise RootKeysError("PKCS#11 is not installed: pip install 'strongroom[pkcs11]'") from None
    return open_module(module, token, pin, prefix)


def are_sample_keys(root: HeldKeys) -> bool:
    """True when a root key was typed in or copied from an example instead of drawn at random; production refuses it."""
    materials = [root.index, *(key.material for key in root.keys.values())]
    return len(set(materials)) < len(materials) or any(_looks_typed(material) for material in materials)


def _gather(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return raw values, where each came from, and faults."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    faults: list[str] = []
    if path := environ.get(FILE_VARIABLE):
        for name, value in _read_file(Path(path), faults).items():
            if name in _FIELDS:
                values[name], sources[name] = value, path
            else:
                faults.append(f"{path}: there is no setting {name!r}")
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or variable.startswith(_FOR_TESTS):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in _FIELDS:
            faults.append(f"{variable}: there is no such setting")
        elif text:
            values[name], sources[name] = text, "environment"
    return values, sources, faults


def _read_file(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        text = path.read_text()
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        faults.append(f"{path} cannot be read: {error.strerror}")
        return {}
    except ValueError:
        faults.append(f"{path} is neither TOML nor JSON")
        return {}
    if not isinstance(document, dict):
        faults.append(f"{path} must hold names and values")
        return {}
    return document


def _convert(name: str, value: Any) -> Any:
    """Return a raw value as its field's type. Raise msgspec.ValidationError."""
    for wrapper in (Secret, Path):
        if _holds(name, wrapper):
            return wrapper(str(value))
    return msgspec.convert(value, _FIELDS[name].type, strict=False)


def _holds(name: str, kind: type) -> bool:
    """True when a field's type is `kind`, or `kind` or None."""
    declared = get_args(_FIELDS[name].type)[0]
    return kind in (declared, *get_args(declared))


def _contradictions(settings: Settings) -> Iterator[str]:
    """Yield what is wrong in any environment."""
    url = urlsplit(settings.base_url)
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query or url.fragment or url.username:
        yield f"{PREFIX}BASE_URL must be a scheme and a host, such as https://pay.example.com"
    if fault := _keys_contradiction(settings):
        yield fault
    if (settings.issuing_certificate is None) != (settings.issuing_key is None):
        yield f"give both of {PREFIX}ISSUING_CERTIFICATE and {PREFIX}ISSUING_KEY, or neither"
    if (settings.soap_certificate is None) != (settings.soap_key is None):
        yield f"give both of {PREFIX}SOAP_CERTIFICATE and {PREFIX}SOAP_KEY, or neither"
    tls = {"TLS_PORT": settings.tls_port, "TLS_CERTIFICATE": settings.tls_certificate}
    tls |= {"TLS_KEY": settings.tls_key, "TLS_CLIENT_CA": settings.tls_client_ca}
    if missing := [name for name, value in tls.items() if value is None] if any(tls.values()) else []:
        yield f"{PREFIX}{missing[0]} is missing: the listener for mutual TLS needs all of {', '.join(tls)}"
    if wrong := sorted(host for host in settings.issuer_hosts if not _HOST.fullmatch(host)):
        yield f"{PREFIX}ISSUING_HOSTS: {wrong[0]} is neither a host nor host:port"
    yield from _sms_contradictions(settings)
    if settings.trusted_proxy not in (None, "unix") and not _is_address(settings.trusted_proxy or ""):
        yield f"{PREFIX}TRUSTED_PROXY must be `unix` or one IP address"
    if settings.trusted_proxy == "unix" and settings.unix_socket is None:
        yield f"{PREFIX}TRUSTED_PROXY is `unix`, so {PREFIX}UNIX_SOCKET must name the socket that only the proxy can reach"


def _sms_contradictions(settings: Settings) -> Iterator[str]:
    """Yield what is wrong about text messages."""
    needed = _NEEDED_FOR_SMS[settings.sms_gateway]
    if not getattr(settings, needed):
        yield f"{PREFIX}{needed.upper()} is missing: {_meaning(needed)}"
    for name in ("sms_countries", "sms_home_countries"):
        if wrong := sorted(one for one in _listed(getattr(settings, name)) if not _COUNTRY.fullmatch(one)):
            yield f"{PREFIX}{name.upper()}: {wrong[0]} is not a country's two capital letters"


def _keys_contradiction(settings: Settings) -> str | None:
    """Return why the place of the root keys is not clear."""
    if sum(given is not None for given in (settings.keys_file, settings.keys, settings.keys_module)) != 1:
        return f"give exactly one of {PREFIX}KEYS_FILE, {PREFIX}KEYS and {PREFIX}KEYS_MODULE: {_meaning('keys_file')}"
    if settings.keys_module and not (settings.keys_module_token and settings.keys_module_pin):
        return f"{PREFIX}KEYS_MODULE needs {PREFIX}KEYS_MODULE_TOKEN and {PREFIX}KEYS_MODULE_PIN"
    return None


def _unsafe(settings: Settings) -> Iterator[str]:
    """Yield what production refuses."""
    if not settings.is_https:
        yield f"{PREFIX}BASE_URL must begin with https:// in production"
    if settings.sms_gateway is SmsGateway.INBOX:
        yield f"{PREFIX}SMS_GATEWAY: production refuses the local inbox, which sends nothing to anybody"
    if settings.webhook_allow_loopback:
        yield f"{PREFIX}WEBHOOK_ALLOW_LOOPBACK: production refuses http and loopback webhooks"
    if settings.receiving_cooling_off_seconds < _LEAST_COOLING_OFF_SECONDS:
        yield f"{PREFIX}RECEIVING_COOLING_OFF_SECONDS: production wants at least an hour"
    if settings.banks_directory is None:
        yield f"{PREFIX}BANKS_DIRECTORY is missing: {_meaning('banks_directory')}"
    elif fault := _bank_fault(settings.banks_directory):
        yield fault
    if local := sorted(host for host in settings.issuer_hosts if _is_local(f"https://{host}")):
        yield f"{PREFIX}ISSUING_HOSTS: production refuses an issuer on this machine ({local[0]})"
    if fault := _key_fault(settings):
        yield fault
    yield from provider_faults(settings)


def _key_fault(settings: Settings) -> str | None:
    """Return why root keys are not for production."""
    try:
        root = settings.keeper().load()
    except RootKeysError as error:
        return str(error)
    is_sample = isinstance(root, HeldKeys) and are_sample_keys(root)
    return "the root keys are samples, not random: `strongroom keys init` makes real ones" if is_sample else None


def _bank_fault(path: Path) -> str | None:
    """Return why a bank file is not for production: it cannot be read, or names an address on this machine."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return f"{PREFIX}BANKS_DIRECTORY: {path} cannot be read as JSON"
    if local := next((text for text in _texts(document) if _is_local(text)), None):
        return f"{PREFIX}BANKS_DIRECTORY: production refuses the model bank ({local})"
    return None


def _listed(text: str) -> frozenset[str]:
    return frozenset(one.strip() for one in text.split(",") if one.strip())


def _texts(value: object) -> Iterator[str]:
    """Yield every text inside a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _is_local(text: str) -> bool:
    """True for a URL on this machine."""
    if not text.startswith(("http://", "https://")):
        return False
    host = (urlsplit(text).hostname or "").rstrip(".")
    return host == "localhost" or host.endswith(".localhost") or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _looks_typed(material: bytes) -> bool:
    return len(set(material)) < _FEW_DISTINCT_BYTES or all(32 <= byte < 127 for byte in material)  # noqa: PLR2004  # ASCII's printable range


def _meaning(name: str) -> str:
    meta = next(part for part in get_args(_FIELDS[name].type) if isinstance(part, Meta))
    return meta.description or ""


def _show(name: str, value: object) -> str:
    return "[secret]" if _holds(name, Secret) else str(value)


def _show_default(name: str) -> str:
    default = _FIELDS[name].default
    if default is msgspec.NODEFAULT:
        return "(required)"
    return "(none)" if default is None else str(default)
