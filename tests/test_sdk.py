"""What the SDK makes of a region, and that nothing else gets into its requests."""

import asyncio
import os
import ssl
import sys
from dataclasses import asdict

import httpx2
import openai
import pytest
import trustme

from batchrunner.completion import _outcome
from batchrunner.errors import ConfigError
from batchrunner.policy.verdict import Barred, judge
from batchrunner.sdk import entra_token, make_client, make_http_client, make_template
from batchrunner.targets import Target
from tests.faultserver import faulty

pytestmark = pytest.mark.socket  # the SDK asks a thread for the name of the platform

PATH = "/chat/completions"
AZURE = "https://eastus.openai.azure.com/"
V1 = "https://eastus.openai.azure.com/openai/v1/"
LEAKS = {
    "OPENAI_ORG_ID": "leak-org",
    "OPENAI_PROJECT_ID": "leak-project",
    "OPENAI_CUSTOM_HEADERS": "x-leak: leak-header\nauthorization: leak",
    "OPENAI_BASE_URL": "https://leak.example/v1",
    "OPENAI_API_KEY": "leak-key",
    "OPENAI_ADMIN_KEY": "leak-admin",
    "OPENAI_API_VERSION": "leak-version",
    "AZURE_OPENAI_API_KEY": "leak-azure-key",
    "AZURE_OPENAI_AD_TOKEN": "leak-token",
    "AZURE_OPENAI_ENDPOINT": "https://leak.example",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
}


def target(endpoint=AZURE, **more):
    return Target(**{"name": "eastus", "endpoint": endpoint, "key": "k1"} | more)


def openai_target():
    return target("https://api.openai.com/v1", name="openai", kind="openai")


TARGETS = [target(), target(V1), openai_target()]


class Tokens:
    """A provider that gives another token each time."""

    def __init__(self):
        self.given = 0

    async def __call__(self):
        self.given += 1
        return f"token-{self.given}"


async def test_the_dated_form_names_deployment_and_version():
    template = await make_template(target(), PATH, "gpt-4o")

    assert template.url == (
        "https://eastus.openai.azure.com/openai/deployments/gpt-4o/chat/completions"
        "?api-version=2024-10-21"
    )
    assert template.headers["api-key"] == "k1"
    assert "authorization" not in template.headers
    assert template.headers["content-type"] == "application/json"


async def test_an_endpoint_needs_no_slash_at_its_end_and_may_have_a_path():
    bare = await make_template(target(AZURE.rstrip("/")), PATH, "m")
    below = await make_template(target("https://gateway.example/team"), PATH, "m")

    assert asdict(bare) == asdict(await make_template(target(), PATH, "m"))
    assert below.url.startswith("https://gateway.example/team/openai/deployments/m/chat/")


async def test_a_region_may_call_the_model_otherwise_and_choose_a_version():
    own = target(deployment="mini", api_version="2025-01-01-preview")
    template = await make_template(own, PATH, "gpt-4o-mini")

    assert "/deployments/mini/" in template.url
    assert template.url.endswith("?api-version=2025-01-01-preview")


async def test_the_name_of_a_deployment_is_encoded():
    template = await make_template(target(deployment="a b/../c?d#e%"), PATH, "m")

    assert "/openai/deployments/a%20b%2F..%2Fc%3Fd%23e%25/chat/completions?" in template.url


@pytest.mark.parametrize("end", ["", "/"])
async def test_the_v1_form_has_no_deployment_in_its_url(end):
    template = await make_template(target(V1.rstrip("/") + end), PATH, "gpt-4o")

    assert template.url == V1 + "chat/completions"
    assert template.headers["authorization"] == "Bearer k1"


async def test_plain_openai():
    template = await make_template(openai_target(), PATH, "gpt-4o")

    assert template.url == "https://api.openai.com/v1/chat/completions"
    assert template.headers["authorization"] == "Bearer k1"
    assert "api-key" not in template.headers


RESPONSES_VERSION = "2025-04-01-preview"


@pytest.mark.parametrize(
    ("one", "path", "url"),
    [
        (
            target(deployment="small"),
            "/embeddings",
            AZURE + "openai/deployments/small/embeddings?api-version=2024-10-21",
        ),
        (target(V1, deployment="small"), "/embeddings", V1 + "embeddings"),
        (openai_target(), "/embeddings", "https://api.openai.com/v1/embeddings"),
        (
            target(deployment="small", api_version=RESPONSES_VERSION),
            "/responses",
            AZURE + "openai/responses?api-version=" + RESPONSES_VERSION,
        ),
        (target(V1, deployment="small"), "/responses", V1 + "responses"),
        (openai_target(), "/responses", "https://api.openai.com/v1/responses"),
    ],
)
async def test_other_paths_name_the_deployment_in_the_url_or_in_the_body(one, path, url):
    template = await make_template(one, path, "m")

    assert template.url == url
    assert template.opening == (b'{"model":"m",' if one.is_fallback else b'{"model":"small",')


@pytest.mark.parametrize("endpoint", [AZURE, V1])
@pytest.mark.parametrize("key", [None, "k1"], ids=["no key", "a key too"])
async def test_a_token_is_asked_for_each_template_and_wins_over_a_key(endpoint, key):
    tokens, entra = Tokens(), target(endpoint, key=key, auth="entra")

    for expected in ("Bearer token-1", "Bearer token-2"):
        template = await make_template(entra, PATH, "m", tokens)
        assert template.headers["authorization"] == expected
        assert "k1" not in template.headers.values()


@pytest.mark.parametrize("where", TARGETS, ids=["azure", "v1", "openai"])
async def test_headers_of_one_request_do_not_belong_to_all(where):
    template = await make_template(where, PATH, "m")

    transient = {"host", "connection", "content-length", "accept-encoding"}
    assert transient.isdisjoint(template.headers)
    assert not [name for name in template.headers if name.startswith("x-stainless")]
    assert template.headers["user-agent"].startswith("Async")


@pytest.mark.parametrize("where", TARGETS, ids=["azure", "v1", "openai"])
async def test_the_environment_adds_nothing_and_is_left_as_it_was(where, monkeypatch):
    for name in LEAKS:
        monkeypatch.delenv(name, raising=False)
    clean = await make_template(where, PATH, "m")
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)

    assert asdict(await make_template(where, PATH, "m")) == asdict(clean)
    assert {name: os.environ[name] for name in LEAKS} == LEAKS


async def test_the_environment_adds_nothing_to_a_token(monkeypatch):
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    template = await make_template(target(key=None, auth="entra"), PATH, "m", Tokens())

    assert template.headers["authorization"] == "Bearer token-1"
    assert "leak" not in str(template)


async def test_the_environment_is_restored_where_no_client_can_be_made(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_ADMIN_KEY", raising=False)
    async with make_http_client() as http:
        with pytest.raises(openai.OpenAIError):
            make_client(target(V1, key=None), http)

    assert os.environ["OPENAI_ORG_ID"] == "org"


async def test_the_environment_is_restored_after_a_provider_that_fails(monkeypatch):
    async def fails():
        raise RuntimeError("no token")

    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    with pytest.raises(openai.APIConnectionError, match="no token: RuntimeError") as caught:
        await make_template(target(key=None, auth="entra"), PATH, "m", fails)

    assert isinstance(caught.value.__cause__, RuntimeError)
    assert os.environ["OPENAI_ORG_ID"] == "org"


async def test_the_sdk_retries_nothing_and_waits_as_long_as_it_is_told():
    calls = []

    def busy(request):
        calls.append(request)
        return httpx2.Response(503, headers={"retry-after-ms": "1"})

    async with make_http_client(httpx2.MockTransport(busy)) as http:
        client = make_client(target(), http, timeout=7)
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="m", messages=[])

    assert len(calls) == 1
    assert calls[0].headers["x-stainless-retry-count"] == "0"
    assert set(calls[0].extensions["timeout"].values()) == {7}


async def test_a_redirect_is_not_followed():
    calls = []

    def elsewhere(request):
        calls.append(request.url.host)
        return httpx2.Response(307, headers={"location": "https://evil.example/"})

    async with make_http_client(httpx2.MockTransport(elsewhere)) as http:
        with pytest.raises(openai.APIStatusError):
            await make_client(target(), http).chat.completions.create(model="m", messages=[])

    assert calls == ["eastus.openai.azure.com"]


async def test_through_a_proxy_the_key_goes_to_the_region_alone():
    """The proxy is asked for a tunnel, and learns no more than where to."""
    asked = []

    async def refuse(line, heard):
        asked.append(heard)
        await line.say(b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n")

    async with (
        faulty(refuse) as proxy,
        faulty() as server,
        make_http_client(proxy=proxy.url) as http,
    ):
        with pytest.raises(openai.APIConnectionError):
            await make_client(target(), http).chat.completions.create(model="m", messages=[])
        here = make_client(target(server.url), http)
        await here.chat.completions.create(model="m", messages=[])

    assert [heard.line for heard in asked] == ["CONNECT eastus.openai.azure.com:443 HTTP/1.1"]
    assert "k1" not in str(asked)
    assert len(server.heard) == 1  # plain HTTP stays on this machine


@pytest.mark.parametrize("is_known", [False, True])
async def test_whom_the_sdk_believes_is_said_by_the_same_file(tmp_path, is_known):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's complaint
    ca_file = str(tmp_path / "ca.pem") if is_known else None
    async with faulty(tls=context) as server, make_http_client(ca_file=ca_file) as http:
        ask = make_client(target(server.url), http).chat.completions.create
        if is_known:
            assert (await ask(model="m", messages=[])).choices
            return
        with pytest.raises(openai.APIConnectionError) as caught:
            await ask(model="m", messages=[])

    assert isinstance(judge(_outcome(caught.value)), Barred)
    assert server.heard == []


def test_entra_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)

    with pytest.raises(
        ConfigError, match=r"needs azure-identity: pip install 'batchrunner\[entra"
    ):
        entra_token()
