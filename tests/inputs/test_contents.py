"""Settings that name files, and what is said where the files are not what they should be."""

import orjson
import pytest

from batchrunner.config import Settings
from batchrunner.errors import ConfigError
from batchrunner.inputs.contents import filled, template
from batchrunner.intake import defaults

MESSAGES = [{"role": "user", "content": "Name {{ title }}."}]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(content, name="p.txt"):
        (tmp_path / name).write_bytes(content)
        return name

    return write


def refused(**given):
    with pytest.raises(ConfigError) as error:
        filled(Settings(**given))
    return str(error.value)


def test_without_files_nothing_is_read():
    settings = Settings(model="m")

    assert filled(settings) is settings
    assert template(settings) is None


def test_a_prompt_in_a_file_is_the_same_as_one_that_is_given(file):
    name = file(b"\xef\xbb\xbfName {{ title }}.\n")
    settings = filled(Settings(prompt_file=name))

    assert settings.prompt == "Name {{ title }}.\n"
    assert settings.prompt_file is None
    assert settings.fingerprint == filled(Settings(prompt="Name {{ title }}.\n")).fingerprint
    assert settings.fingerprint != Settings().fingerprint
    assert filled(settings) == settings


def test_messages_stand_in_a_file(file):
    for content in (MESSAGES, {"messages": MESSAGES}):
        settings = filled(Settings(messages_file=file(orjson.dumps(content), "m.json")))

        assert settings.messages == tuple(MESSAGES)
        assert settings.fingerprint != Settings().fingerprint
        assert template(settings).messages({"title": "a"})[0]["content"] == "Name a."


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "p.txt is empty"),
        (b" \n", "p.txt is empty"),
        (b"caf\xe9", "p.txt is not UTF-8 at byte 4: save it as UTF-8"),
        (b"a\nb {{ title", "p.txt: prompt, line 2: is no template"),
        (b"a\n\n{{ title.upper() }}", "p.txt: prompt, line 3: nothing can be called"),
        (b"a" * (16 * 1024 * 1024 + 1), "p.txt is too long: 16 MiB are the most"),
    ],
    ids=["empty", "blank", "code", "syntax", "call", "long"],
)
def test_a_file_that_holds_no_prompt_is_named_with_the_remedy(file, content, why):
    assert refused(prompt_file=file(content)).startswith(why)


def test_a_file_that_is_not_there_is_named(file):
    assert refused(prompt_file="none.txt") == "none.txt: no such file or directory"
    file(b"")
    assert refused(prompt_file=".") == ".: is a directory"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[{", "p.txt is no JSON at line 1: "),
        (b"{}", "p.txt: messages must be a list of at least one message; it is an object"),
        (b"[]", "p.txt: messages must be a list of at least one message; it is empty"),
        (b'["a"]', "p.txt: messages[0] must be an object such as"),
        (b'[{"content": "a"}]', "p.txt: messages[0].role is missing"),
        (
            b'[{"role": "user", "content": [{"text": "{{ a"}]}]',
            "p.txt: messages[0].content[0].text, line 1: is no template",
        ),
    ],
    ids=["torn", "object", "none", "text", "role", "template"],
)
def test_a_file_that_holds_no_messages_is_named_with_the_place(file, content, why):
    assert refused(messages_file=file(content)).startswith(why)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"prompt": "a", "prompt_file": "b"}, "--prompt and --prompt-file say the same thing"),
        ({"prompt": "a", "messages_file": "b"}, "--prompt and --messages say the same thing"),
        ({"prompt": "a", "messages": MESSAGES}, "--prompt and --messages say the same thing"),
        ({"params": "a"}, "--params names a column of rows"),
        ({"id_column": "a"}, "--id-column names a column of rows"),
        (
            {"messages": MESSAGES, "endpoint": "embeddings"},
            "--messages means nothing to embeddings",
        ),
        (
            {"answer_schema": {}, "endpoint": "embeddings"},
            "--schema means nothing to embeddings",
        ),
        ({"prompt": "{{ a", "model": "m"}, "prompt, line 1: is no template"),
        ({"prompt": "a", "system": "{{ a"}, "system, line 1: is no template"),
    ],
    ids=str,
)
def test_settings_that_do_not_belong_together_are_refused(given, why):
    assert refused(**given).startswith(why)


def test_braces_in_a_system_message_are_no_template_where_there_are_no_rows():
    assert filled(Settings(system="Answer as {{ json }")).system == "Answer as {{ json }"


def test_a_schema_stands_in_a_file_and_belongs_to_the_meaning(file):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    settings = filled(Settings(schema_file=file(orjson.dumps(schema), "s.json")))

    assert settings.answer_schema["properties"] == schema["properties"]
    assert settings.schema_file is None
    assert settings.fingerprint != Settings().fingerprint
    assert filled(settings) == settings
    assert defaults(settings).response_format["type"] == "json_schema"


def test_a_schema_is_nothing_for_embeddings_even_in_a_file(file):
    name = file(b'{"type": "object"}', "s.json")

    assert refused(schema_file=name, endpoint="embeddings").startswith("--schema means nothing")
