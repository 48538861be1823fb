"""What stands out in the environment: no value is ever told."""

import pytest

from batchrunner.doctor.surroundings import Surroundings
from batchrunner.doctor.variables import meant_by, suspicions

KEY = "canary-5ad0c1e7-0123456789abcdef"
PAIR = {"AZURE_OPENAI_API_KEY_1": KEY, "AZURE_OPENAI_ENDPOINT_1": "https://a.openai.azure.com"}


def found(process=None, file=None, **more):
    proxied = more.pop("proxied", False)
    around = Surroundings(process or {}, file or {}, **more)
    return suspicions(around, proxied=proxied)


def codes(*args, **more):
    return [caution.code for caution in found(*args, **more)]


MEANT = {
    "AZURE_OPENAI_ENPOINT_1": "AZURE_OPENAI_ENDPOINT_1",
    "AZURE_OPENAI_KEY_1": "AZURE_OPENAI_API_KEY_1",
    "AZURE_OPENAI_API_KEY1": "AZURE_OPENAI_API_KEY_1",
    "AZURE_OPENAI_API_KEY_01": "AZURE_OPENAI_API_KEY_1",
    "AZURE_OPENAI_APIKEY_2": "AZURE_OPENAI_API_KEY_2",
    "azure_openai_api_key_3": "AZURE_OPENAI_API_KEY_3",
    "AZURE_OPENAI_DEPLOYMENT_NAME_1": "AZURE_OPENAI_DEPLOYMENT_1",
    "AZURE_OPENAI_DEPLOYMENT_NAME": "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_BASE_URL_2": "AZURE_OPENAI_ENDPOINT_2",
    "AZURE_OPENAI_QUOTAGROUP_1": "AZURE_OPENAI_QUOTA_GROUP_1",
    "AZUREOPENAI_API_KEY_1": "AZURE_OPENAI_API_KEY_1",
    "OPENAI_API_KEY_1": "OPENAI_API_KEY",
    "OPENAI_KEY": "OPENAI_API_KEY",
    "OPENAI_BASEURL": "OPENAI_BASE_URL",
}
FINE = [
    *("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT_12", "AZURE_OPENAI_RPM_3", "OPENAI_API_KEY"),
    *("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_CONFIG_DIR"),
    *("OPENAI_ORG_ID", "OPENAI_LOG", "OPENAI_API_TYPE", "PATH", "HOME", "", "_", "A=B"),
]


@pytest.mark.parametrize("name", MEANT)
def test_a_misspelt_name_is_told_with_the_one_that_was_meant(name):
    (caution,) = (c for c in found({**PAIR, name: KEY}) if c.code == "misspelt")

    assert caution.about == (name,)
    assert caution.remedy == f"did you mean {MEANT[name]}?"


@pytest.mark.parametrize("name", FINE)
def test_names_of_ours_and_of_others_are_no_slips(name):
    assert meant_by(name) is None


SEEN = {
    "a companion without a region": ({"AZURE_OPENAI_RPM_4": "3"}, "homeless", "ENDPOINT_4"),
    "an unnumbered companion": ({"AZURE_OPENAI_API_VERSION": "v"}, "homeless", "number"),
    "a quoted key": ({"AZURE_OPENAI_API_KEY_1": f'"{KEY}"'}, "key_quoted", "quotation marks"),
    "half a quote": ({"AZURE_OPENAI_API_KEY_1": f'{KEY}"'}, "key_quoted", "quotation marks"),
    "a key in curly quotes": ({"OPENAI_API_KEY": f"“{KEY}”"}, "key_quoted", "quotation"),
    "a key with blanks": ({"AZURE_OPENAI_API_KEY_1": f" {KEY}\n"}, "key_blanks", "paste"),
    "a placeholder": ({"AZURE_OPENAI_API_KEY_1": "<your-key>"}, "key_placeholder", "itself"),
    "another placeholder": ({"OPENAI_API_KEY": "sk-..."}, "key_placeholder", "itself"),
    "other programs": ({"OPENAI_API_BASE": "https://x"}, "other_program", "ENDPOINT_n"),
    "an organisation": ({"OPENAI_ORG_ID": "org-1"}, "identity", "project"),
    "a proxy": ({"https_proxy": "http://u:pw@proxy"}, "proxy", "--proxy"),
    "certificates": ({"SSL_CERT_FILE": "/x"}, "certificates", "unset"),
    "a bundle": ({"REQUESTS_CA_BUNDLE": "/x"}, "bundle", "--ca-file"),
    "settings": ({"BATCHRUNNER_TEMPERATURE": "0"}, "settings", "unset"),
    "one more region": (
        {"AZURE_OPENAI_ENDPOINT": "https://b", "AZURE_OPENAI_API_KEY": KEY},
        "unnumbered",
        "another program",
    ),
    "Azure in place of OpenAI": (
        {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://a.openai.azure.com/openai/v1/"},
        "fallback_is_azure",
        "unset it",
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_stands_out_is_told_with_a_remedy_and_without_its_value(name):
    variables, code, remedy = SEEN[name]
    told = found({**PAIR, **variables})
    (caution,) = (one for one in told if one.code == code)

    assert remedy in caution.remedy
    assert set(caution.about) <= set(variables)
    shown = repr(told)
    assert not [text for text in {**PAIR, **variables}.values() if len(text) > 4 and text in shown]


def test_an_ordinary_environment_has_nothing_to_say():
    assert found({"PATH": "/bin", "HOME": "/root", **PAIR}, {**PAIR, "OPENAI_API_KEY": KEY}) == []
    assert found({}, {"HTTP_PROXY": "  ", "AZURE_OPENAI_RPM_9": ""}) == []


def test_a_variable_of_this_process_that_wins_over_another_in_the_file():
    other = {"AZURE_OPENAI_API_KEY_1": "another-key-0123456789"}
    (caution,) = found(other, PAIR, path="my.env")

    assert (caution.code, caution.about) == ("overridden", ("AZURE_OPENAI_API_KEY_1",))
    assert "another AZURE_OPENAI_API_KEY_1 than my.env, and wins" in caution.message
    assert "another-key" not in repr(caution)
    assert found(PAIR, PAIR) == []  # twice the same is nothing


def test_a_file_that_others_can_read_is_told_where_keys_are_in_it():
    assert codes({}, PAIR, is_readable=True) == ["env_file_readable"]
    assert codes({}, {"AZURE_OPENAI_RPM_1": "3"}, is_readable=True) == ["homeless"]
    assert codes({}, {"OPENAI_API_KEY": ""}, is_readable=True) == []


def test_who_has_named_a_proxy_knows():
    assert codes({"HTTPS_PROXY": "http://p"}, proxied=True) == []


def test_many_variables_are_told_in_one_line():
    many = {f"BATCHRUNNER_{n}": "x" for n in range(1000)}
    (caution,) = found(many)
    (few,) = found(dict(list(many.items())[:6]))

    assert len(caution.message) < 250
    assert "and 994 more" in caution.message
    assert "more" not in few.message


def test_the_pair_without_a_number_alone_is_a_region_as_good_as_any():
    alone = {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"}

    assert found(alone) == []
    assert codes({**alone, **PAIR}) == ["unnumbered"]
    assert codes({}, {**alone, **PAIR}) == []  # who writes a file for this program means it
