"""Where keys may go."""

import pytest

from batchrunner.config import read_settings, require_targets
from batchrunner.endpoints import check_hosts, is_pattern, is_proxy, origin, shown
from batchrunner.errors import ConfigError
from batchrunner.sdk import make_template
from batchrunner.targets import Target

CANARY = "canary-6f1d-0123456789"


def check(url, *allowed):
    check_hosts([("eastus", url)], allowed)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://my-resource.openai.azure.com/",
        "https://MY-Resource.OpenAI.Azure.com",
        "https://my-resource.cognitiveservices.azure.com/openai/v1/",
        "https://my-resource.services.ai.azure.com:443",
        "http://127.0.0.1:8080/eastus",
        "http://localhost",
        "https://[::1]",
    ],
)
def test_keys_may_go_to_the_services_and_to_this_machine(url):
    check(url)


STRANGE = [
    "https://gateway.example.com/openai/v1/",
    "https://openai.azure.com",
    "https://evil-openai.azure.com",
    "https://openai.azure.com.evil.example",
    "https://a.openai.azure.com.evil.example",
    "https://api.openai.com.evil.example",
    "https://eu.api.openai.com.",
    "https://xapi.openai.com",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1",
    "https://[fd00::1]",
    "https://localhost.evil.example",
    "https://127.0.0.1.nip.io",
]


@pytest.mark.parametrize("url", STRANGE)
def test_keys_go_to_nobody_else_and_the_error_says_how_they_could(url):
    host = origin(url)[1]
    with pytest.raises(ConfigError) as caught:
        check(url, "other.example")

    assert f"the endpoint of eastus is on {host}, which is no host" in str(caught.value)
    assert f"use --allow-host {host} or set BATCHRUNNER_ALLOW_HOSTS" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://gateway.example.com/", "gateway.example.com"),
        ("https://gateway.example.com:8443/", "gateway.example.com"),
        ("https://a.b.example.com/", "*.example.com"),
        ("https://[fd00::1]/", "fd00::1"),
        ("https://10.0.0.1/", "10.0.0.1"),
    ],
)
def test_a_host_can_be_allowed_by_name_or_by_its_end(url, allowed):
    check(url, allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://a.gateway.example.com/", "gateway.example.com"),
        ("https://example.com/", "*.example.com"),
        ("https://evilexample.com/", "*.example.com"),
    ],
)
def test_what_is_allowed_is_that_and_no_more(url, allowed):
    with pytest.raises(ConfigError):
        check(url, allowed)


def test_a_program_that_makes_its_own_regions_is_held_to_the_same():
    for url, message in (
        ("http://eastus.openai.azure.com", "http:// would show the key"),
        ("https://eastus.openai.azure.com\\.evil.example", "is no URL"),
    ):
        with pytest.raises(ConfigError, match=f"the endpoint of eastus.*{message}"):
            check(url)


@pytest.mark.parametrize("pattern", ["a", "a.b-c.example", "*.a.example", "10.0.0.1", "::1"])
def test_what_can_be_allowed(pattern):
    assert is_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.", "", ".a", "a*", "*a", "a.*.b", "https://a", "a/b", "a:443", "a@b", "grün.example"],
)
def test_what_cannot_be_allowed(pattern):
    assert not is_pattern(pattern)


GATEWAY = {
    "AZURE_OPENAI_API_KEY_1": CANARY,
    "AZURE_OPENAI_ENDPOINT_1": "https://gateway.example.com/",
    "OPENAI_API_KEY": CANARY,
    "OPENAI_BASE_URL": "https://Other.example/v1",
}


@pytest.mark.parametrize(
    ("options", "environ", "toml"),
    [
        ({"allow_hosts": ["gateway.example.com", "OTHER.example"]}, {}, {}),
        ({}, {"BATCHRUNNER_ALLOW_HOSTS": " gateway.example.com , other.example"}, {}),
        ({}, {}, {"allow_hosts": ["*.example.com", "other.example"]}),
    ],
    ids=["option", "variable", "file"],
)
def test_hosts_are_allowed_in_three_ways(options, environ, toml):
    require_targets(read_settings(options, GATEWAY | environ, toml))


def test_a_region_that_is_not_used_needs_no_permission():
    one = GATEWAY | {"BATCHRUNNER_ALLOW_HOSTS": "gateway.example.com"}

    require_targets(read_settings({"no_fallback": True}, one, {}))
    with pytest.raises(ConfigError, match=r"the endpoint of openai is on other\.example"):
        require_targets(read_settings({}, one, {}))


@pytest.mark.parametrize("text", ["https://gateway.example.com", "*", "a b/c"])
def test_what_is_no_host_is_told_by_the_name_of_the_option(text):
    with pytest.raises(ConfigError, match=r"^--allow-host: write only the host, such as"):
        read_settings({"allow_hosts": [text]}, {}, {})


@pytest.mark.socket
@pytest.mark.parametrize("host", ["a\uff0eexample", "ß.example", "ⓐ.example"])
@pytest.mark.parametrize("kind", ["azure", "openai"])
async def test_a_key_is_bound_to_the_origin_of_its_endpoint(host, kind):
    """Two readers of URLs may see two hosts in one; then no request is made at all."""
    target = Target(name="eastus", kind=kind, endpoint=f"https://{host}", key=CANARY)

    with pytest.raises(Exception, match=r"for its own endpoint only|Invalid IDNA") as caught:
        await make_template(target, "/chat/completions", "m")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "whom"),
    [
        ("https://A.example/x?y", ("https", "a.example", 443)),
        ("https://u:p@a.example:8443", ("https", "a.example", 8443)),
        ("http://[::1]:80/", ("http", "::1", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, whom):
    assert origin(url) == whom


@pytest.mark.parametrize("url", ["http://proxy:3128", "https://u:p@proxy.example", "http://p/"])
def test_what_can_be_a_proxy(url):
    assert is_proxy(url)


@pytest.mark.parametrize(
    "url", ["proxy:3128", "socks5://proxy", "http://", "http://p/path", "http://p?x", "http://p:x"]
)
def test_what_cannot_be_a_proxy(url):
    assert not is_proxy(url)
    with pytest.raises(ConfigError, match=r"^BATCHRUNNER_PROXY: write something like http://"):
        read_settings({}, {"BATCHRUNNER_PROXY": url}, {})


def test_a_proxy_is_shown_without_its_password():
    settings = read_settings({}, {"BATCHRUNNER_PROXY": f"http://me:{CANARY}@proxy:3128/"}, {})

    assert shown(settings.proxy_url) == "http://proxy:3128"
    assert shown(f"https://{CANARY}@[::1]") == "https://[::1]:443"
    for text in (repr(settings), settings.model_dump_json()):
        assert CANARY not in text
