"""Where keys may go: which URLs can be an endpoint, and which hosts a proxy. Pure.

A key goes to one origin, the one of its own endpoint, and that must be on a host of Azure OpenAI
or OpenAI, on this machine, or on a host that the user has allowed by name. So neither a typing
error nor a variable that somebody else has set can send a key to a stranger.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import ConfigError

#: hosts of the services; ``*.`` stands for one name or more before the rest
HOSTS = (
    "api.openai.com",
    "*.openai.azure.com",
    "*.cognitiveservices.azure.com",
    "*.services.ai.azure.com",
)
EXAMPLE = "https://my-resource.openai.azure.com/"
_HOST = re.compile(r"[\w.:-]+", re.ASCII)
_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_CALLED = re.compile(r"/openai/?$|/deployments(/|$)|/(chat/)?completions/?$")
_PORTS = {"http": 80, "https": 443}


def check_endpoint(endpoint: str, variable: str) -> None:
    """Refuse what is no HTTPS URL, and plain HTTP beyond this machine."""
    parts = _split(endpoint)
    if parts is None:
        raise ConfigError(f"{variable} is no URL: write something like {EXAMPLE}")
    if not {"@", "?", "#"}.isdisjoint(endpoint):
        raise ConfigError(f"{variable}: leave out user name, query and fragment of the URL")
    if _CALLED.search(parts.path):
        raise ConfigError(
            f"{variable} goes too far: end it with the host, or with /openai/v1/; deployment and "
            "operation are added to it"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(f"{variable}: http:// would show the key to the network; use https://")


def check_hosts(endpoints: Iterable[tuple[str, str]], allowed: Iterable[str]) -> None:
    """Refuse hosts that keys may not go to; ``endpoints`` are names of regions and their URLs."""
    patterns = (*HOSTS, *allowed)
    for name, endpoint in endpoints:
        check_endpoint(endpoint, f"the endpoint of {name}")
        host = urlsplit(endpoint).hostname or ""
        if not is_loopback(host) and not any(_matches(host, pattern) for pattern in patterns):
            raise ConfigError(
                f"the endpoint of {name} is on {host}, which is no host of Azure OpenAI or "
                f"OpenAI: correct it; if its key shall go there, use --allow-host {host} or "
                "set BATCHRUNNER_ALLOW_HOSTS"
            )


def is_pattern(text: str) -> bool:
    """Whether ``text`` can be allowed: a host, or ``*.`` and the end of its name."""
    return _PATTERN.fullmatch(text) is not None or _address(text) is not None


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its very name."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: whom a URL speaks to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def is_proxy(url: str) -> bool:
    """Whether ``url`` can be that of a proxy: scheme and host, a user if need be, nothing else."""
    parts = _split(url)
    return parts is not None and parts.path in {"", "/"} and {"?", "#"}.isdisjoint(url)


def credentials(url: str) -> tuple[str, str] | None:
    """User and password in a URL."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def shown(url: str) -> str:
    """``url`` as it may be printed: without user, path and query."""
    scheme, host, port = origin(url)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split(url: str) -> SplitResult | None:
    """The parts of an HTTP URL; None where it is none, or its host is not in plain letters."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    is_host = host is not None and _HOST.fullmatch(host) is not None
    return parts if is_host and parts.scheme in _PORTS else None


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
