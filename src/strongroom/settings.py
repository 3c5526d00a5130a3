"""All settings that there are: one frozen object in which every field is described. No secret has a default.

`settings_reading` reads it once at start; `settings_faults` says what is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
from msgspec import Meta

from strongroom.kit.crypto import Secret
from strongroom.kit.listener import CertificateFiles
from strongroom.kit.rootkeys import FileKeeper, RootKeyKeeper, RootKeysError, TextKeeper

if TYPE_CHECKING:
    from strongroom.kit.rootkeys_module import ModuleKeeper

PREFIX = "STRONGROOM_"


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
        return listed(self.sms_countries)

    @property
    def sms_home(self) -> frozenset[str]:
        """Return the countries with the larger limits."""
        return listed(self.sms_home_countries)

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

    @property
    def provider_lacks(self) -> list[str]:
        """Return the settings that are missing of the regulated provider's details (Payment Services Regulations 2017, reg. 43)."""
        needed = [name for name in FIELDS if name.startswith("provider_") and name != "provider_agent_of"]
        if self.provider_role is ProviderRole.AGENT:
            needed.append("provider_agent_of")
        return [name for name in needed if not getattr(self, name)]

    def provider(self) -> Provider | None:
        """Return the regulated provider; None (outside production) when its details are not complete."""
        if self.provider_lacks:
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


FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}


def module_keeper(module: Path, token: str, pin: Secret, prefix: str) -> ModuleKeeper:
    """Return the keeper of root keys in a hardware module. Raise RootKeysError where PKCS#11 is not installed."""
    try:
        from strongroom.kit.rootkeys_module import open_module  # noqa: PLC0415  # python-pkcs11 is an extra
    except ImportError:
        raise RootKeysError("PKCS#11 is not installed: pip install 'strongroom[pkcs11]'") from None
    return open_module(module, token, pin, prefix)


def meaning_of(name: str) -> str:
    """Return what a setting is for, in a sentence."""
    meta = next(part for part in get_args(FIELDS[name].type) if isinstance(part, Meta))
    return meta.description or ""


def listed(text: str) -> frozenset[str]:
    """Return what a text names, separated by commas."""
    return frozenset(one.strip() for one in text.split(",") if one.strip())
