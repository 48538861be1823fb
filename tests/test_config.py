"""From mappings to settings."""

import pytest

from batchrunner.config import Settings, read_settings, require_targets, variables
from batchrunner.errors import ConfigError
from batchrunner.settings import OPTIONS, SEMANTIC, SEMANTIC_IF_SET

CANARY = "canary-6f1d"
REGION = {
    "AZURE_OPENAI_API_KEY_1": CANARY,
    "AZURE_OPENAI_ENDPOINT_1": "https://eastus.openai.azure.com/",
}
TABLE = {"endpoint": "https://westus.openai.azure.com/", "key": "WEST_KEY"}
OTHER = {
    "model": "gpt-4o",
    "system": "Be brief.",
    "temperature": 0.5,
    "max_tokens": 7,
    "prompt": "Translate: {{ title }}",
    "prompt_file": "prompt.txt",
    "messages_file": "messages.json",
    "params": "params",
    "id_column": "sku",
    "endpoint": "responses",
    "schema_file": "schema.json",
    "max_reasks": 5,
    "answer_prefix": "ai_",
    "delimiter": ";",
    "encoding": "cp1252",
    "reuse": ("monday.results.jsonl", "tuesday.results.jsonl"),
    "dedup": True,
    "concurrency": 9,
    "strategy": "ordered",
    "no_fallback": True,
    "fallback_after": 3.0,
    "fallback_max_share": 0.5,
    "fallback_max_cost": 2.5,
    "hedge": True,
    "count_tokens": True,
    "max_attempts": 2,
    "timeout": 11.0,
    "outage_wait": 5.0,
    "proxy": "http://proxy:3128",
    "ca_file": "ca.pem",
    "allow_hosts": ("gateway.example", "*.other.example"),
    "trust_env_file": True,
    "limit": 5,
    "bad_lines": "record",
    "retry_failed": True,
    "restart": True,
    "repair": True,
    "accept_config_change": True,
    "max_cost": 12.5,
    "max_tokens_total": 1_000_000,
    "deadline": "06:00",
    "log_format": "json",
    "metrics_port": 9464,
    "telemetry": True,
    "no_control": True,
    "durability": "strict",
    "disk_wait": 5.0,
}


def settings(options=None, environ=None, toml=None):
    return read_settings(options or {}, environ or {}, toml or {})


def regions(*tables, **environ):
    return settings(environ={"WEST_KEY": CANARY} | environ, toml={"regions": list(tables)}).targets


def variable(name):
    return f"BATCHRUNNER_{name.upper()}"


def written(value):
    """As a variable has it."""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def test_nothing_given_means_the_defaults():
    assert settings() == Settings()


def test_every_option_has_another_value_here():
    assert set(OTHER) == set(OPTIONS)
    assert all(getattr(Settings(), name) != value for name, value in OTHER.items())


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_can_be_given_in_three_ways(name):
    value = OTHER[name]

    for given in (
        settings(options={name: value}),
        settings(environ={variable(name): written(value)}),
        settings(toml={name: value}),
    ):
        assert given == Settings(**{name: value})


def test_the_command_line_wins_then_the_environment_then_the_file():
    environ, toml = {"BATCHRUNNER_LIMIT": "2"}, {"limit": 3}

    assert settings({"limit": 1}, environ, toml).limit == 1
    assert settings({"limit": None}, environ, toml).limit == 2
    assert settings({}, {}, toml).limit == 3


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_variables_count_as_absent(blank):
    environ = {variable(name): blank for name in OPTIONS} | {"BATCHRUNNER_COLOUR": blank}

    assert settings(environ=environ) == Settings()
    assert settings(environ=environ, toml={"limit": 3}).limit == 3


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False)])
def test_switches_are_words_of_everyday(text, value):
    assert settings(environ={"BATCHRUNNER_NO_FALLBACK": text}).no_fallback is value


WRONG = [
    ("temperature", "2.1", "Input should be less than or equal to 2"),
    ("temperature", "nan", "Input should be"),
    ("temperature", "hot", "Input should be a valid number"),
    ("max_tokens", "0", "Input should be greater than or equal to 1"),
    ("concurrency", "0", "Input should be greater than or equal to 1"),
    ("concurrency", "100001", "Input should be less than or equal to 100000"),
    ("concurrency", "2.5", "Input should be a valid integer"),
    ("strategy", "random", "Input should be 'balanced' or 'ordered'"),
    ("no_fallback", "perhaps", "Input should be a valid boolean"),
    ("fallback_after", "-1", "Input should be greater than or equal to 0"),
    ("max_attempts", "0", "Input should be greater than or equal to 1"),
    ("timeout", "0", "Input should be greater than 0"),
    ("timeout", "inf", "Input should be a finite number"),
    ("limit", "0", "Input should be greater than or equal to 1"),
    ("bad_lines", "skip", "Input should be 'fail' or 'record'"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_an_error_calls_a_setting_what_the_user_called_it(name, value, message):
    option = "--" + name.replace("_", "-")
    for given, called in (
        (({name: value}, {variable(name): value}, {name: value}), option),
        (({}, {variable(name): value}, {name: value}), variable(name)),
        (({}, {variable(name): " "}, {name: value}), f"--config: {name}"),
    ):
        with pytest.raises(ConfigError, match=f"^{called}: {message}") as caught:
            settings(*given)
        assert caught.value.exit_code == 2


def test_an_error_does_not_show_the_keys():
    with pytest.raises(ConfigError) as caught:
        settings({"limit": CANARY}, REGION | {"BATCHRUNNER_LIMIT": CANARY})

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_unknown_variables_are_refused_because_they_are_typing_errors():
    with pytest.raises(ConfigError, match=r"BATCHRUNNER_TIMOUT is no setting; known: .*_TIMEOUT"):
        settings(environ={"BATCHRUNNER_TIMOUT": CANARY})


def test_unknown_keys_of_the_file_are_refused():
    with pytest.raises(ConfigError, match=r"--config: unknown key 'timout'; known: .*timeout"):
        settings(toml={"timout": CANARY})


def test_regions_of_the_file_replace_those_of_the_environment_but_not_the_fallback():
    found = regions(TABLE, OPENAI_API_KEY="sk", **REGION)

    assert [target.name for target in found] == ["westus", "openai"]
    assert found[0].key.get_secret_value() == CANARY


def test_a_region_of_the_file_may_take_the_key_of_a_numbered_variable():
    (target,) = regions(
        TABLE | {"key": "AZURE_OPENAI_API_KEY_1"}, AZURE_OPENAI_API_KEY_1=f" {CANARY} "
    )

    assert target.key.get_secret_value() == CANARY


def test_a_region_of_the_file_has_the_same_settings():
    more = {
        "name": "west",
        "deployment": "mini",
        "api_version": "2025-01-01-preview",
        "rpm": 60,
        "tpm": 1000.5,
        "concurrency": 3,
        "priority": 2,
        "quota_group": "global",
    }
    (target,) = regions(TABLE | more)

    assert {name: getattr(target, name) for name in more} == more


def test_regions_of_the_file_are_named_by_host_or_place():
    local = TABLE | {"endpoint": "http://127.0.0.1:80"}

    assert [target.name for target in regions(TABLE, local)] == ["westus", "region_2"]


def test_a_region_of_the_file_with_entra_needs_no_key():
    (target,) = regions({"endpoint": TABLE["endpoint"], "auth": "entra"})

    assert (target.auth, target.key) == ("entra", None)


def test_no_regions_in_the_file_are_no_regions():
    assert regions(**REGION) == ()


BAD_TABLES = [
    ({"key": CANARY}, "region 1: key must be the name of an environment variable that is set"),
    ({"key": CANARY, "auth": "entra"}, "region 1: key must be the name of an environment variab"),
    ({"key": "UNSET"}, "region 1: key must be the name of an environment variable that is set"),
    ({"key": "EMPTY"}, "region 1: key must be the name of an environment variable that is set"),
    ({"key": 5}, "region 1: key must be the name of an environment variable that is set"),
    ({"key": "SPACED"}, "region 1: key holds characters that no key has"),
    ({"api_key": CANARY}, "region 1: unknown key 'api_key'; known: .*endpoint"),
    ({"kind": "openai"}, "region 1: unknown key 'kind'"),
    ({"endpoint": 5}, "region 1: endpoint is missing"),
    ({"endpoint": "westus"}, "region 1: endpoint is no URL"),
    ({"endpoint": "http://westus"}, "region 1: endpoint: http:// would show the key"),
    ({"rpm": "many"}, "region 1: rpm: Input should be a valid number"),
    ({"name": "openai"}, "region 1: name: the name 'openai' is kept for plain OpenAI"),
    ({"name": 5}, "region 1: name: Input should be a valid string"),
    ({"auth": ["entra"]}, "region 1: auth: Input should be 'key' or 'entra'"),
]


@pytest.mark.parametrize(("more", "message"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_errors_in_a_region_of_the_file(more, message):
    with pytest.raises(ConfigError, match=f"^--config: {message}") as caught:
        regions(TABLE | more, EMPTY=" ", SPACED=f"{CANARY} {CANARY}")
    assert CANARY not in str(caught.value)


def test_a_region_of_the_file_without_an_endpoint():
    with pytest.raises(ConfigError, match="--config: region 2: endpoint is missing"):
        regions(TABLE, {"key": "WEST_KEY"})


@pytest.mark.parametrize("wrong", [{"eastus": {}}, "eastus", [1], 5])
def test_regions_of_the_file_are_tables(wrong):
    with pytest.raises(ConfigError, match=r"--config: write each region as a table headed \[\["):
        settings(toml={"regions": wrong})


def test_two_regions_of_the_file_with_one_name():
    with pytest.raises(ConfigError, match=r"two regions are called 'westus'.*file of --config"):
        regions(TABLE, TABLE)


def test_nowhere_to_send_is_an_error_that_says_what_to_set():
    for nowhere in (
        settings(),
        settings({"no_fallback": True}, {"OPENAI_API_KEY": "sk"}),
    ):
        with pytest.raises(ConfigError, match="set AZURE_OPENAI_API_KEY_1 and AZURE_OPENAI_ENDPO"):
            require_targets(nowhere)
    require_targets(settings(environ={"OPENAI_API_KEY": "sk"}))
    require_targets(settings({"no_fallback": True}, REGION))


def test_a_key_is_shown_nowhere():
    shown = settings(environ=REGION | {"OPENAI_API_KEY": CANARY})

    for text in (repr(shown), str(shown), shown.model_dump_json(), str(shown.model_dump())):
        assert CANARY not in text
        assert text.count("**********") == 2


@pytest.mark.parametrize("name", OPTIONS)
def test_the_fingerprint_changes_with_what_is_asked_and_nothing_else(name):
    changed = settings({name: OTHER[name]}, REGION)

    assert (changed.fingerprint != Settings().fingerprint) == (
        name in {*SEMANTIC, *SEMANTIC_IF_SET}
    )


def test_what_is_asked_is_the_model_the_system_message_and_the_sampling():
    assert set(SEMANTIC) == {"model", "system", "temperature", "max_tokens"}


def test_the_fingerprint_is_the_same_in_every_process():
    assert Settings().fingerprint == "19cee30640b142c15614edd81d5b746e"
    assert settings({"temperature": 1}).fingerprint == settings({"temperature": "1.0"}).fingerprint


def test_the_fingerprint_does_not_depend_on_the_regions():
    assert settings(environ=REGION).fingerprint == Settings().fingerprint


def test_settings_do_not_change_and_know_no_other_names():
    with pytest.raises(ValueError, match="frozen"):
        Settings().limit = 1
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings(colour="red")


def test_every_variable_has_a_meaning():
    found = variables()

    assert all(found.values())
    assert {variable(name) for name in OPTIONS} <= set(found)


def test_every_variable_is_read():
    """Each one changes the settings, or is refused where it makes no sense."""
    base = REGION | {"OPENAI_API_KEY": "sk"}
    value = {variable(name): written(given) for name, given in OTHER.items()}
    value |= dict.fromkeys(variables().keys() - value.keys(), "77")
    value |= {"AZURE_OPENAI_AUTH_1": "entra", "OPENAI_BASE_URL": "https://other"}
    value |= {"AZURE_OPENAI_ENDPOINT_1": "https://other"}
    value |= {"AZURE_OPENAI_PRICE_1": "1/2", "OPENAI_PRICE": "1/2"}

    before = settings(environ=base)
    unread = [
        name for name in variables() if settings(environ=base | {name: value[name]}) == before
    ]
    assert not unread
