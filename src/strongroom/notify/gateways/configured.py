"""The file that names the operator's gateways, in the order in which they are tried: read, judged as a whole, and opened.

A TOML file of mode 600, one `[[gateway]]` each; docs/operate/messages.md shows them.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from strongroom.kit.addresses import is_loopback
from strongroom.notify.api import REPORTS_PATH
from strongroom.notify.gateways import http, twilio
from strongroom.notify.gateways.http import AskableHttpGateway, HttpConfig, HttpGateway
from strongroom.notify.gateways.smpp import SmppConfig, SmppGateway
from strongroom.notify.gateways.twilio import TwilioConfig, TwilioGateway
from strongroom.notify.port import Gateway, Route

_Config = TwilioConfig | HttpConfig | SmppConfig


class GatewaysUnusable(Exception):
    """The file cannot be used; `faults` says all that is wrong, never with a secret."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: list[_Config]


def open_routes(path: Path, base_url: str, *, production: bool) -> list[Route]:
    """Return the gateways of a file, in its order. Raise GatewaysUnusable. Nothing is connected yet."""
    configs = _read(path)
    if faults := list(_faults(configs, production=production)):
        raise GatewaysUnusable(faults)
    return [Route(_open(config, f"{base_url}{REPORTS_PATH}/{config.name}"), config.prefixes) for config in configs]


def _read(path: Path) -> list[_Config]:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise GatewaysUnusable([f"{path} holds secrets and can be read by others: chmod 600 it"])
        return msgspec.convert(tomllib.loads(path.read_text()), _File).gateway
    except OSError as error:
        raise GatewaysUnusable([f"{path} cannot be read: {error.strerror}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise GatewaysUnusable([f"{path} is not TOML: {error}"]) from error
    except msgspec.ValidationError as error:
        raise GatewaysUnusable([f"{path}: {error}"]) from error


def _faults(configs: list[_Config], *, production: bool) -> Iterator[str]:
    if not configs:
        yield "the file names no gateway"
    names = [config.name for config in configs]
    yield from (f"two gateways are named {name}" for name in sorted({name for name in names if names.count(name) > 1}))
    for config in configs:
        if isinstance(config, TwilioConfig):
            yield from twilio.faults(config)
        elif isinstance(config, HttpConfig):
            yield from http.faults(config)
        yield from (f"{config.name}: the prefix {prefix} is not digits" for prefix in config.prefixes if not prefix.isdigit())
        if not isinstance(config, SmppConfig):
            yield from (f"{config.name}: {fault}" for url in _urls(config) if (fault := _fault_of(url, production=production)))


def _urls(config: TwilioConfig | HttpConfig) -> Iterator[str]:
    yield config.url
    if isinstance(config, HttpConfig) and config.ask_url:
        yield config.ask_url


def _fault_of(url: str, *, production: bool) -> str | None:
    """Say what is wrong with an address that messages go to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address cannot be read"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "an address is not http:// or https:// with a host"
    if production and parts.scheme != "https" and not is_loopback(parts.hostname):
        return "production wants https, save to this machine"
    return None


def _open(config: _Config, report_url: str) -> Gateway:
    if isinstance(config, TwilioConfig):
        return TwilioGateway(config, report_url)
    if isinstance(config, SmppConfig):
        return SmppGateway(config)
    return AskableHttpGateway(config) if config.ask_url else HttpGateway(config)
