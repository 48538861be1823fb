"""What the openai SDK knows: authentication, URLs, headers and error classes.

Its clients are made here and nowhere else, with retries off and the environment kept out: by
itself the SDK would add ``OPENAI_ORG_ID``, ``OPENAI_PROJECT_ID`` and ``OPENAI_CUSTOM_HEADERS`` to
requests to Azure, and read its base URL from ``OPENAI_BASE_URL``.
"""

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
from openai import APIConnectionError, AsyncAzureOpenAI, AsyncOpenAI

from .endpoints import origin
from .errors import ConfigError
from .targets import Target
from .tls import make_context

TokenProvider = Callable[[], Awaitable[str]]

ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"
_LEAKS = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS", "OPENAI_BASE_URL")
#: headers that belong to one request or to the transport, not to the template
_TRANSIENT = frozenset({"host", "connection", "content-length", "accept-encoding"})
_TELEMETRY = "x-stainless-"  #: describes the SDK's own transport, which does not send the jobs


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Template:
    """What every request to one region for one model has in common.

    It equals itself alone: a transport keeps what it makes of one for as long as that lives.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)  #: with the key
    opening: bytes  #: how every body begins: ``{"model":"…",``
    secret: str = field(init=False, repr=False)  #: the key or the token; empty: there is none

    def __post_init__(self) -> None:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        object.__setattr__(self, "secret", self.headers.get("api-key") or bearer)


def make_client(
    target: Target,
    http_client: httpx2.AsyncClient,
    token: TokenProvider | None = None,
    timeout: float = 300.0,
) -> AsyncOpenAI:
    """An SDK client for a region; ``token`` is called for each request where auth is Entra."""
    token = token and _excused(token, target)
    key = target.key.get_secret_value() if target.key and token is None else None
    common: dict[str, Any] = {"http_client": http_client, "max_retries": 0, "timeout": timeout}
    with _sealed_environment():
        if target.speaks_v1:
            return AsyncOpenAI(base_url=target.endpoint, api_key=key or token, **common)
        return AsyncAzureOpenAI(
            azure_endpoint=target.endpoint,
            api_version=target.api_version,
            api_key=key,
            azure_ad_token_provider=token,
            **common,
        )


def make_http_client(
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    proxy: str | None = None,
    ca_file: str | None = None,
) -> httpx2.AsyncClient:
    """An HTTP client that ignores proxy variables and never carries a key to a redirect.

    Requests to this machine do not go through the ``proxy``.
    """
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
    verify = True if ca_file is None else make_context(ca_file)
    mounts: dict[str, httpx2.AsyncBaseTransport | None] = {}
    if proxy is not None:
        mounts = {"https://localhost": None, "https://127.0.0.1": None, "https://[::1]": None}
        mounts["https://"] = httpx2.AsyncHTTPTransport(  # http:// goes to this machine only
            verify=verify, trust_env=False, limits=limits, proxy=proxy
        )
    return httpx2.AsyncClient(
        transport=transport,
        verify=verify,
        mounts=mounts,
        trust_env=False,
        follow_redirects=False,
        limits=limits,
    )


async def make_template(
    target: Target, path: str, model: str, token: TokenProvider | None = None
) -> Template:
    """Let the SDK prepare one request and keep what it made of URL and headers."""
    seen: list[httpx2.Request] = []

    def capture(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={})

    async with make_http_client(httpx2.MockTransport(capture)) as http_client:
        client = make_client(target, http_client, token)
        deployment = target.model_for(model)
        body = {"model": deployment}
        await client.post(path, body=body, cast_to=httpx2.Response)
    url = str(seen[0].url)
    if origin(url) != origin(target.endpoint):
        raise ConfigError(f"the key of {target.name} is for its own endpoint only")
    headers = {
        name: value
        for name, value in seen[0].headers.items()
        if name not in _TRANSIENT and not name.startswith(_TELEMETRY)
    }
    return Template(url, headers, b'{"model":%b,' % orjson.dumps(deployment))


def entra_token() -> TokenProvider:
    """A provider of Microsoft Entra ID tokens, refreshed by azure-identity."""
    try:
        from azure.identity.aio import (  # an extra, loaded where it is used
            DefaultAzureCredential,
            get_bearer_token_provider,
        )
    except ImportError:
        raise ConfigError(
            "AZURE_OPENAI_AUTH=entra needs azure-identity: pip install 'batchrunner[entra]'"
        ) from None
    provider: TokenProvider = get_bearer_token_provider(DefaultAzureCredential(), ENTRA_SCOPE)
    return provider


def _excused(token: TokenProvider, target: Target) -> TokenProvider:
    """``token``, whose failures look like those of a connection: another region may do."""

    async def provide() -> str:
        try:
            return await token()
        except Exception as error:
            message = f"no token: {type(error).__name__}"
            request = httpx2.Request("POST", target.endpoint)
            raise APIConnectionError(message=message, request=request) from error

    return provide


@contextmanager
def _sealed_environment() -> Iterator[None]:
    """Hide from the SDK's constructors what they would read from the environment."""
    hidden = {name: os.environ.pop(name) for name in _LEAKS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
