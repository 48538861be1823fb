"""From variables to regions."""

import pytest

from batchrunner.errors import ConfigError
from batchrunner.targets import API_VERSION, OPENAI_BASE_URL, Target, make_target, read_targets

CANARY = "canary-6f1d"
AZURE = "https://{}.openai.azure.com/"


def pair(number="", host="eastus", **companions):
    """The variables of one region."""
    suffix = f"_{number}" if number else ""
    variables = {"API_KEY": f"key{number}", "ENDPOINT": AZURE.format(host)} | companions
    return {f"AZURE_OPENAI_{name}{suffix}": text for name, text in variables.items()}


def endpoint(url):
    return pair(1, ENDPOINT=url)


def names(environ):
    return [target.name for target in read_targets(environ)]


def only(environ):
    (target,) = read_targets(environ)
    return target


def test_a_pair_is_a_region():
    target = only(pair(1))

    assert target.name == "eastus"
    assert target.key.get_secret_value() == "key1"
    assert target.endpoint == "https://eastus.openai.azure.com/"
    assert target.api_version == API_VERSION
    assert not target.is_fallback
    assert not target.speaks_v1
    assert target.model_for("gpt-4o") == "gpt-4o"
    open_ = (target.rpm, target.tpm, target.concurrency, target.quota_group, target.deployment)
    assert open_ == (None,) * 5
    assert (target.priority, target.auth) == (0, "key")


def test_companions_of_the_same_number_describe_the_region():
    companions = {
        "REGION": "East US 2",
        "DEPLOYMENT": "mini",
        "API_VERSION": "2025-01-01-preview",
        "RPM": "600",
        "TPM": "1.5e5",
        "CONCURRENCY": "64",
        "PRIORITY": "-1",
        "QUOTA_GROUP": "global",
    }
    target = only(pair(7, **companions) | {"AZURE_OPENAI_RPM_8": "1"})

    assert target.name == "East US 2"
    assert target.model_for("gpt-4o") == "mini"
    assert target.api_version == "2025-01-01-preview"
    assert (target.rpm, target.tpm, target.concurrency) == (600, 150_000, 64)
    assert (target.priority, target.quota_group) == (-1, "global")


def test_gaps_are_allowed_and_numbers_are_numbers():
    environ = pair(10, "j") | pair(2, "b") | pair(999, "z") | pair("", "unnumbered")

    assert names(environ) == ["unnumbered", "b", "j", "z"]


@pytest.mark.parametrize("suffix", ["_0", "_01", "_x", "_1_2", "_-1", "1", "_"])
def test_other_suffixes_are_no_numbers(suffix):
    environ = {f"AZURE_OPENAI_API_KEY{suffix}": "k", f"AZURE_OPENAI_ENDPOINT{suffix}": "https://h"}

    assert names(environ) == []


def test_what_belongs_to_no_pair_is_no_region():
    assert names({"AZURE_OPENAI_API_VERSION": "1", "AZURE_OPENAI_RPM_1": "1", "PATH": "/"}) == []


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_variables_count_as_absent(blank):
    environ = pair(1) | dict.fromkeys(pair(2, RPM="", REGION="", AUTH=""), blank)

    assert names(environ | {"OPENAI_API_KEY": blank}) == ["eastus"]
    assert only(pair(1, DEPLOYMENT=blank, TPM=blank, API_VERSION=blank)) == only(pair(1))


def test_spaces_around_values_do_not_count():
    spaced = {name: f"  {text}\n" for name, text in pair(1, RPM="60", REGION="one").items()}

    assert only(spaced) == only(pair(1, RPM="60", REGION="one"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://my-resource.openai.azure.com", "my-resource"),
        ("https://MY-Resource.services.ai.azure.com/openai/v1/", "my-resource"),
        ("http://localhost:8080/eastus", "localhost"),
        ("http://127.0.0.1:8080/eastus", "region_1"),
        ("http://[::1]:8080", "region_1"),
    ],
)
def test_the_name_comes_from_the_host_or_the_number(url, name):
    assert only(endpoint(url)).name == name


def test_the_unnumbered_region_of_a_nameless_host_is_called_region():
    assert only(pair(ENDPOINT="http://127.0.0.1:1")).name == "region"


def test_two_regions_of_one_name_are_refused():
    with pytest.raises(
        ConfigError, match=r"two regions are called 'eastus': .*AZURE_OPENAI_REGIO"
    ):
        read_targets(pair(1) | pair(2))


@pytest.mark.parametrize("name", ["openai", " openai "])
def test_the_name_of_the_fallback_is_kept_for_it(name):
    with pytest.raises(ConfigError, match="AZURE_OPENAI_REGION_3: the name 'openai' is kept"):
        read_targets(pair(3, REGION=name))
    with pytest.raises(ConfigError, match="AZURE_OPENAI_REGION_3: the name 'openai' is kept"):
        read_targets(pair(3, host="openai"))


@pytest.mark.parametrize(
    ("url", "v1"),
    [
        (AZURE.format("a"), False),
        (AZURE.format("a") + "openai/v1", True),
        (AZURE.format("a") + "openai/v1/", True),
        (AZURE.format("a") + "openai/v10/", False),
        ("https://gateway.example/team/openai/v1/", True),
        ("https://gateway.example/v1/", False),
    ],
)
def test_endpoints_that_end_in_openai_v1_speak_v1(url, v1):
    assert only(endpoint(url)).speaks_v1 is v1


def test_openai_is_the_fallback_and_stands_last():
    first, last = read_targets({"OPENAI_API_KEY": "sk", "OPENAI_RPM": "5"} | pair(1))

    assert first.name == "eastus"
    assert (last.name, last.kind, last.endpoint) == ("openai", "openai", OPENAI_BASE_URL)
    assert last.is_fallback
    assert last.speaks_v1
    assert last.rpm == 5


def test_the_other_variables_of_openai_add_nothing_without_its_key():
    assert names({"OPENAI_BASE_URL": "https://h/v1", "OPENAI_RPM": "1"}) == []


def test_openai_may_live_elsewhere():
    target = only({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})

    assert target.endpoint == "http://127.0.0.1:9/v1"


def test_entra_needs_no_key():
    target = only({"AZURE_OPENAI_ENDPOINT_1": AZURE.format("a"), "AZURE_OPENAI_AUTH_1": "entra"})

    assert (target.auth, target.key) == ("entra", None)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "http://127.9.9.9:1",
        "http://localhost/x",
        "http://LOCALHOST",
        "http://[::1]:80",
    ],
)
def test_plain_http_is_fine_on_this_machine(url):
    assert only(endpoint(url)).endpoint == url


NO_URL = r"AZURE_OPENAI_ENDPOINT_1 is no URL: write something like https://my-resource"
PLAIN = r"AZURE_OPENAI_ENDPOINT_1: http:// would show the key to the network; use https://"
PARTS = r"AZURE_OPENAI_ENDPOINT_1: leave out user name, query and fragment"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("eastus.openai.azure.com", NO_URL),
        ("//eastus.openai.azure.com", NO_URL),
        ("ftp://eastus.openai.azure.com", NO_URL),
        ("file:///etc/passwd", NO_URL),
        ("https://", NO_URL),
        ("https:///openai", NO_URL),
        ("https://host:port", NO_URL),
        ("https://host:99999", NO_URL),
        ("https://[::1", NO_URL),
        ("https://[nonsense]", NO_URL),
        ("https://my resource.openai.azure.com", NO_URL),
        ("https://good.openai.azure.com\\.evil.example", NO_URL),
        ("https://<resource>.openai.azure.com", NO_URL),
        ("https://gr\u00fcn.openai.azure.com", NO_URL),
        ("https://a\uff0eopenai.azure.com", NO_URL),
        ("https://\u0430pi.openai.com", NO_URL),
        ("https://evil.example\uff03@good.openai.azure.com", NO_URL),
        ("http://eastus.openai.azure.com", PLAIN),
        ("http://127.0.0.1.nip.io", PLAIN),
        ("http://localhost.evil.example", PLAIN),
        ("http://0.0.0.0:80", PLAIN),
        ("http://169.254.169.254/", PLAIN),
        ("http://10.0.0.1", PLAIN),
        ("https://user:password@host", PARTS),
        ("https://@host", PARTS),
        (f"https://{CANARY}@host", PARTS),
        (f"https://host/?key={CANARY}", PARTS),
        ("https://host/?", PARTS),
        ("https://host/#here", PARTS),
    ],
)
def test_endpoints_that_cannot_be_one(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_targets(pair(1, ENDPOINT=url, API_KEY=CANARY))
    assert CANARY not in str(caught.value)


REFUSED = [
    ({"RPM": "many"}, "AZURE_OPENAI_RPM_1: Input should be a valid number"),
    ({"RPM": "0"}, "AZURE_OPENAI_RPM_1: Input should be greater than 0"),
    ({"RPM": "nan"}, "AZURE_OPENAI_RPM_1: Input should be a finite number"),
    ({"TPM": "inf"}, "AZURE_OPENAI_TPM_1: Input should be a finite number"),
    ({"TPM": "-1"}, "AZURE_OPENAI_TPM_1: Input should be greater than 0"),
    ({"CONCURRENCY": "0"}, "AZURE_OPENAI_CONCURRENCY_1: Input should be greater than or equal to"),
    ({"CONCURRENCY": "1.5"}, "AZURE_OPENAI_CONCURRENCY_1: Input should be a valid integer"),
    ({"PRIORITY": "high"}, "AZURE_OPENAI_PRIORITY_1: Input should be a valid integer"),
    ({"AUTH": "token"}, "AZURE_OPENAI_AUTH_1: Input should be 'key' or 'entra'"),
    ({"REGION": "a/b"}, "AZURE_OPENAI_REGION_1: String should match pattern"),
    ({"REGION": "a\nb"}, "AZURE_OPENAI_REGION_1: String should match pattern"),
    ({"REGION": "x" * 65}, "AZURE_OPENAI_REGION_1: String should have at most 64 characters"),
    ({"API_KEY": ""}, "AZURE_OPENAI_ENDPOINT_1 is set but AZURE_OPENAI_API_KEY_1 is not: set bot"),
    (
        {"ENDPOINT": ""},
        "AZURE_OPENAI_API_KEY_1 is set but AZURE_OPENAI_ENDPOINT_1 is not: set bot",
    ),
    ({"ENDPOINT": "", "AUTH": "entra"}, "AZURE_OPENAI_ENDPOINT_1 is not: set both"),
    ({"API_KEY": f"{CANARY} 2"}, "AZURE_OPENAI_API_KEY_1 holds characters that no key has"),
    ({"API_KEY": f"{CANARY}\r\nx: y"}, "AZURE_OPENAI_API_KEY_1 holds characters that no key has"),
    ({"API_KEY": f"{CANARY}\u2026"}, "AZURE_OPENAI_API_KEY_1 holds characters that no key has"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_an_error_names_the_variable_and_the_remedy_but_never_the_key(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_targets(pair(1) | pair(1, **({"API_KEY": CANARY} | given)))
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"OPENAI_API_KEY": f"{CANARY} x"}, "OPENAI_API_KEY holds characters that no key has"),
        ({"OPENAI_BASE_URL": "api.openai.com"}, "OPENAI_BASE_URL is no URL"),
        ({"OPENAI_BASE_URL": "http://api.openai.com"}, "OPENAI_BASE_URL: http:// would show"),
        ({"OPENAI_TPM": "x"}, "OPENAI_TPM: Input should be a valid number"),
        ({"OPENAI_CONCURRENCY": "-1"}, "OPENAI_CONCURRENCY: Input should be greater than"),
    ],
)
def test_errors_of_the_fallback_name_its_variables(given, message):
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        read_targets({"OPENAI_API_KEY": CANARY} | given)
    assert CANARY not in str(caught.value)


def test_a_key_is_shown_nowhere():
    target = only(pair(1, API_KEY=CANARY))

    for shown in (repr(target), str(target), target.model_dump_json(), f"{target.model_dump()}"):
        assert CANARY not in shown
        assert "**********" in shown


def test_a_region_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        only(pair(1)).name = "other"


def test_there_are_no_other_fields():
    with pytest.raises(ValueError, match="Extra inputs"):
        Target(name="a", endpoint="https://a", colour="red")


def test_errors_call_a_field_what_the_user_calls_it():
    with pytest.raises(ConfigError, match=r"^the third rpm: "):
        make_target(
            {"endpoint": "https://a", "rpm": "x"}, {"rpm": "the third rpm", "endpoint": ""}
        )
