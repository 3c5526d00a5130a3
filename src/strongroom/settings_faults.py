"""What is wrong with settings: what contradicts itself anywhere, and what production refuses because it would be unsafe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from strongroom.kit.rootkeys import HeldKeys, RootKeysError
from strongroom.settings import PREFIX, Settings, SmsGateway, listed, meaning_of

_COUNTRY = re.compile(r"[A-Z]{2}")
_HOST = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
_LEAST_COOLING_OFF_SECONDS = 3600
_FEW_DISTINCT_BYTES = 16  # 32 random bytes have about 30 distinct values
_NEEDED_FOR_SMS = {SmsGateway.CONFIGURED: "sms_gateways_file", SmsGateway.INBOX: "inbox_url"}


def contradictions(settings: Settings) -> Iterator[str]:
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
        yield f"{PREFIX}{needed.upper()} is missing: {meaning_of(needed)}"
    for name in ("sms_countries", "sms_home_countries"):
        if wrong := sorted(one for one in listed(getattr(settings, name)) if not _COUNTRY.fullmatch(one)):
            yield f"{PREFIX}{name.upper()}: {wrong[0]} is not a country's two capital letters"


def _keys_contradiction(settings: Settings) -> str | None:
    """Return why the place of the root keys is not clear."""
    if sum(given is not None for given in (settings.keys_file, settings.keys, settings.keys_module)) != 1:
        return f"give exactly one of {PREFIX}KEYS_FILE, {PREFIX}KEYS and {PREFIX}KEYS_MODULE: {meaning_of('keys_file')}"
    if settings.keys_module and not (settings.keys_module_token and settings.keys_module_pin):
        return f"{PREFIX}KEYS_MODULE needs {PREFIX}KEYS_MODULE_TOKEN and {PREFIX}KEYS_MODULE_PIN"
    return None


def unsafe(settings: Settings) -> Iterator[str]:
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
        yield f"{PREFIX}BANKS_DIRECTORY is missing: {meaning_of('banks_directory')}"
    elif fault := _bank_fault(settings.banks_directory):
        yield fault
    if local := sorted(host for host in settings.issuer_hosts if _is_local(f"https://{host}")):
        yield f"{PREFIX}ISSUING_HOSTS: production refuses an issuer on this machine ({local[0]})"
    if fault := _key_fault(settings):
        yield fault
    for name in settings.provider_lacks:
        yield f"{PREFIX}{name.upper()} is missing: without it initiating payments is an offence"  # reg. 138


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


def are_sample_keys(root: HeldKeys) -> bool:
    """True when a root key was typed in or copied from an example instead of drawn at random; production refuses it."""
    materials = [root.index, *(key.material for key in root.keys.values())]
    return len(set(materials)) < len(materials) or any(_looks_typed(material) for material in materials)


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
