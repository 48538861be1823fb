"""What a line must be to be a job, and what is said of it when it is none."""

import json  # writes what orjson would not: NaN, half surrogates, large numbers
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrunner.inputs.defaults import NO_DEFAULTS, Defaults
from batchrunner.inputs.jsonl import BadLine, examine, fingerprint, parse
from batchrunner.inputs.sameness import request_of
from batchrunner.inputs.strict import LONGEST, RefusedError
from batchrunner.model import Job

HELLO = [{"role": "user", "content": "Hello"}]


def line(**fields):
    return orjson.dumps({"model": "m", "messages": HELLO, **fields})


def batch(**fields):
    envelope = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    return orjson.dumps({**envelope, "body": {"model": "m", "messages": HELLO}, **fields})


def without(name):
    return orjson.dumps({k: v for k, v in orjson.loads(batch()).items() if k != name})


def body(job):
    assert isinstance(job, Job), job
    return orjson.loads(job.body)


FORMS = {
    "batch": batch(custom_id="a"),
    "batch of Azure": batch(custom_id="a", url="/chat/completions"),
    "body": line(id="a"),
    "body with a custom_id": line(custom_id="a"),
    "prompt": b'{"id": "a", "model": "m", "prompt": "Hello"}',
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form):
    assert parse(FORMS[form], 7) == Job(
        ordinal=7,
        fingerprint=fingerprint(FORMS[form]),
        id="a",
        path="/chat/completions",
        model="m",
        body=b'{"messages":[{"role":"user","content":"Hello"}]}',
        request=request_of("/chat/completions", "m", {"messages": HELLO}),
    )


def test_every_other_field_reaches_the_service_as_it_was_written():
    schema = {"type": "json_schema", "json_schema": {"name": "é", "schema": {"type": "object"}}}
    fields = {"response_format": schema, "seed": 2**64 - 1, "temperature": 0.1, "stream": False}

    job = parse(line(**fields, made_up_tomorrow=[None, 1.5]), 0)

    assert body(job) == {"messages": HELLO, **fields, "made_up_tomorrow": [None, 1.5]}


def test_a_missing_id_is_the_ordinal():
    assert parse(line(), 41).id == "41"


@pytest.mark.parametrize(
    ("written", "id_"),
    [(17, "17"), (-3, "-3"), (0, "0"), (2**53 - 1, "9007199254740991"), ("日本 🙂", "日本 🙂")],
    ids=str,
)
def test_an_id_is_a_text_or_a_whole_number(written, id_):
    assert parse(line(id=written), 0).id == id_


def test_two_emoji_joined_without_a_gap_are_no_control_character():
    assert parse(line(id="👩\u200d💻\u00a0x"), 0).id == "👩\u200d💻\u00a0x"


class TestDefaults:
    ALL = Defaults(model="standard", system="Be brief.", temperature=0.5, max_tokens=9)

    def test_they_fill_what_a_line_leaves_open(self):
        job = parse(b'{"prompt": "Hello"}', 0, self.ALL)

        assert job.model == "standard"
        assert job.answer_tokens == 9
        assert body(job) == {
            "messages": [{"role": "system", "content": "Be brief."}, *HELLO],
            "temperature": 0.5,
            "max_tokens": 9,
        }

    def test_the_line_wins(self):
        messages = [{"role": "developer", "content": "Be long."}, *HELLO]
        written = {"messages": messages, "temperature": 0, "max_tokens": 3}

        job = parse(line(**written, model="own"), 0, self.ALL)

        assert (job.model, job.answer_tokens) == ("own", 3)
        assert body(job) == written

    def test_max_tokens_goes_by_either_name(self):
        job = parse(line(max_completion_tokens=4), 0, Defaults(max_tokens=9))

        assert body(job) == {"messages": HELLO, "max_completion_tokens": 4}
        assert job.answer_tokens == 4

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_instructions_of_the_line_are_kept_wherever_they_stand(self, role):
        messages = [*HELLO, {"role": role, "content": "Be long."}]

        assert body(parse(line(messages=messages), 0, self.ALL))["messages"] == messages

    def test_an_empty_model_is_a_mistake_and_not_an_absent_one(self):
        assert "model must be a name" in parse(line(model=""), 0, self.ALL).reason


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, None),
        ({"max_tokens": None}, None),
        ({"n": 3}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_completion_tokens": None, "max_tokens": 5, "n": None}, 5),
    ],
    ids=str,
)
def test_the_most_that_an_answer_may_use(fields, tokens):
    assert parse(line(**fields), 0).answer_tokens == tokens


def test_a_fingerprint_is_of_what_stands_on_the_line():
    bare = line()

    assert re.fullmatch("[0-9a-f]{16}", fingerprint(bare))
    assert {fingerprint(bare + end) for end in (b"", b"\n", b"\r\n")} == {fingerprint(bare)}
    assert fingerprint(b"\xef\xbb\xbf" + bare) == fingerprint(bare)
    assert fingerprint(bare + b" ") != fingerprint(bare)
    assert fingerprint(b"abc") == "d8bb14d833d59559"


URLS = '"/v1/chat/completions" or "/v1/responses" or "/v1/embeddings"'
PROMPT = b'{"model": "m", "prompt": "a", "x": '
BAD = [
    # not JSON, or not all of it
    (b'{"prompt": "a"', "ends in the middle of the JSON"),
    (b'{"prompt": "a', "ends in the middle of the JSON"),
    (b'{"prompt": "a"} {"prompt": "b"}', "goes on after the job, at column 17: one job on each"),
    (b'{"prompt": "a"},', "goes on after the job, at column 16"),
    (b"{'prompt': 'a'}", "is not JSON at column 2: expecting property name"),
    (b"prompt,id", "is not JSON at column 1: expecting value"),
    (b'{"prompt": "a\tb"}', "is not JSON at column 14: invalid control character"),
    (b'{"prompt": "a\rb"}', "is not JSON at column 14: invalid control character"),
    # JSON that would lose or change something
    (PROMPT + b"NaN}", "holds NaN, which is not JSON"),
    (PROMPT + b"-Infinity}", "holds -Infinity, which is not JSON"),
    (PROMPT + b"1e999}", "holds a number that is too large, 1e999"),
    (PROMPT + b"-1e999}", "holds a number that is too large, -1e999"),
    (PROMPT + b"18446744073709551616}", "holds a number beyond 64 bits, 18446744073709551616"),
    (PROMPT + b"-9223372036854775809}", "holds a number beyond 64 bits, -9223372036854775809"),
    (PROMPT + b"9" * 5000 + b"}", "holds a number beyond 64 bits, 999999999999999999999999:"),
    (b'{"prompt": "\\ud800"}', "holds half a surrogate pair"),
    (b'{"prompt": "\\udc00\\ud800"}', "holds half a surrogate pair"),
    (b'{"\\ud800": "a"}', "holds half a surrogate pair"),
    (b'{"prompt": "\xff"}', "is not UTF-8 at byte 13"),
    (b'{"prompt": "\xed\xa0\x80"}', "is not UTF-8 at byte 13"),
    (b'{"prompt": "\xc3\xa9 \xe9"}', "is not UTF-8 at byte 16"),
    (b'{"prompt": "a\x00"}', "holds a NUL byte"),
    (b"\x00" * 4096, "holds a NUL byte"),
    (b'\xef\xbb\xbf{"prompt": "a"}', "starts with a byte order mark"),
    (PROMPT + b"[" * 300 + b"]" * 300 + b"}", "is nested too deeply"),
    (PROMPT + b"[" * 1100 + b"]" * 1100 + b"}", "is nested too deeply"),
    (b"[" * 100_000, "is nested too deeply"),
    (b'{"a":' * 100_000, "is nested too deeply"),
    (b'{"prompt": "' + b"a" * LONGEST + b'"}', "is too long: 16 MiB are the most"),
    # JSON, but no job
    (b"[]", "is a list, not a job"),
    (b'"a"', "is a text, not a job"),
    (b"null", "is null, not a job"),
    (b"17", "is a number, not a job"),
    (b"{}", "has neither messages, nor prompt, nor body"),
    (b'{"prompt": "a"}', "model is missing: write it, or use --model"),
    (b'{"model": "m", "prompt": ""}', "prompt must be a text; it is empty"),
    (b'{"model": "m", "prompt": ["a"]}', "prompt must be a text; it is a list"),
    (line(prompt="a"), "prompt belongs to a line without messages"),
    (line(messages=[]), "messages must be a list of at least one message; it is empty"),
    (line(messages=None), "messages must be a list of at least one message; it is null"),
    (line(messages={}), "messages must be a list of at least one message; it is an object"),
    (line(messages=["a"]), "messages[0] must be an object such as"),
    (line(messages=[*HELLO, {"content": "a"}]), "messages[1].role is missing: it must be a text"),
    (line(messages=[{"role": 1}]), "messages[0].role must be a text such as"),
    (
        line(messages=[{"role": "user", "content": 5}]),
        "messages[0].content must be a text, a list",
    ),
    (line(model=5), "model must be a text; it is 5"),
    (line(model="../admin"), "model must be a name such as gpt-4o-mini"),
    (line(model="m/../../admin"), "model must be a name such as gpt-4o-mini"),
    (line(model="m?x=1"), "model must be a name such as gpt-4o-mini"),
    (line(model="m\n"), "model must be a name such as gpt-4o-mini"),
    (line(model="m" * 257), "model must be a name such as gpt-4o-mini"),
    (line(stream=True), "stream must be false or left out"),
    (line(max_tokens=0), "max_tokens must be a whole number of at least 1; it is 0"),
    (line(max_tokens="16"), "max_tokens must be a whole number of at least 1; it is a text"),
    (line(max_tokens=True), "max_tokens must be a whole number of at least 1; it is true"),
    (line(max_completion_tokens=1.5), "max_completion_tokens must be a whole number"),
    (line(n=0), "n must be a whole number of at least 1; it is 0"),
    # ids
    (line(id=None), "id must be a text or a whole number below 2^53; it is null"),
    (line(id=""), "id must be a text or a whole number below 2^53; it is an empty text"),
    (line(id=1.0), "id must be a text or a whole number below 2^53; it is 1.0"),
    (line(id=True), "id must be a text or a whole number below 2^53; it is true"),
    (line(id=2**53), "id must be a text or a whole number below 2^53; it is 9007199254740992"),
    (line(custom_id=["a"]), "custom_id must be a text or a whole number below 2^53; it is a list"),
    (line(id="a\nb"), "id holds a control character"),
    (line(id="a\x1b[2J"), "id holds a control character"),
    (line(id="a\x9bb"), "id holds a control character"),
    (line(id="a\u202eb"), "id holds a control character"),
    (line(id="a" * 513), "id is too long: 512 characters are the most"),
    (line(id="a", custom_id="b"), "has both custom_id and id"),
    # Batch lines
    (without("method"), 'method must be "POST"; it is missing'),
    (batch(method="post"), 'method must be "POST"; it is "post"'),
    (batch(method=1), 'method must be "POST"; it is 1'),
    (without("url"), f"url must be {URLS}; it is missing"),
    (batch(url="/v1/completions"), f'url must be {URLS}; it is "/v1/completions"'),
    (batch(url="https://evil.example/v1/chat/completions"), f"url must be {URLS}; it is "),
    (batch(url=["a"]), f"url must be {URLS}; it is a list"),
    (batch(metadata={}), '"metadata" does not belong beside body'),
    (batch(**{"line\nbreak\u202e": 1}), '"line\\nbreak\\u202e" does not belong beside body'),
    (batch(headers={"api-key": "k"}), '"headers" is no request field: keys and endpoints come'),
    (batch(body=None), "body must be an object with messages; it is null"),
    (batch(body=[HELLO]), "body must be an object with messages; it is a list"),
    (batch(body={"model": "m"}), "body.messages is missing: it must be a list"),
    (batch(body={"messages": HELLO}), "body.model is missing: write it, or use --model"),
    (batch(body={"messages": [{"role": ""}]}), "body.messages[0].role must be a text"),
    (batch(body={"messages": HELLO, "custom_id": "a"}), "body.custom_id belongs beside the body"),
    (batch(body={"body": {}}), "body.body stands inside of another body"),
]


@pytest.mark.parametrize(("raw", "reason"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_a_line_that_is_no_job_is_told_why(raw, reason):
    bad = parse(raw, 3)

    assert isinstance(bad, BadLine), bad
    assert bad.reason.startswith(reason)
    assert (bad.ordinal, bad.fingerprint) == (3, fingerprint(raw))
    with pytest.raises(RefusedError) as refused:  # before anything is sent, too
        examine(raw, 3, NO_DEFAULTS)
    assert str(refused.value) == bad.reason


@pytest.mark.parametrize(
    ("raw", "id_"),
    [
        (b'{"custom_id": "a", "body": 5}', "a"),
        (b'{"id": 17, "model": "m"}', "17"),
        (b'{"id": "a\\u001b", "model": "m"}', "3"),
        (b'{"id": "a"', "3"),
        (b"[]", "3"),
    ],
    ids=["batch", "number", "unsafe", "torn", "none"],
)
def test_a_bad_line_keeps_its_id_if_it_has_one(raw, id_):
    assert parse(raw, 3).id == id_


@pytest.mark.parametrize(
    "field",
    [
        *("api_key", "api-key", "authorization", "organization", "base_url", "endpoint"),
        *("azure_endpoint", "azure_deployment", "api_version", "url", "headers", "extra_headers"),
        *("extra_body", "extra_query", "timeout", "max_retries", "system"),
    ],
)
def test_a_job_cannot_set_what_is_no_request_field(field):
    for raw in (line(**{field: "s3cret"}), batch(body={"messages": HELLO, field: "s3cret"})):
        bad = parse(raw, 0, Defaults(model="m"))

        assert f"{field} is no request field" in bad.reason
        assert "s3cret" not in bad.reason


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Defaults(system="s"), "messages"),
        (Defaults(temperature=0.0), "temperature"),
        (Defaults(max_tokens=5), "max_tokens"),
        (Defaults(response_format={"type": "json_object"}), "response_format"),
    ],
    ids=["system", "temperature", "max_tokens", "schema"],
)
def test_each_default_is_filled_in_without_the_others(given, field):
    plain, filled = body(parse(line(), 0)), body(parse(line(), 0, given))

    assert {name for name in filled if filled[name] != plain.get(name)} == {field}


def test_twenty_digits_in_a_text_are_only_a_text():
    digits = "12345678901234567890123"

    assert body(parse(line(user=digits), 0))["user"] == digits


def test_a_number_may_be_as_long_as_64_bits_are():
    numbers = [2**64 - 1, -(2**63), 0.1234567890123456789]

    assert body(parse(line(x=numbers), 0))["x"] == numbers


@pytest.mark.parametrize("number", [b"18446744073709551616", b"-9223372036854775809"])
def test_a_number_beyond_64_bits_is_seen_wherever_it_stands(number):
    for blanks in range(20):
        for raw in (
            PROMPT + b" " * blanks + number + b"}",
            PROMPT + number + b" " * blanks + b"}",
        ):
            assert parse(raw, 0).reason.startswith("holds a number beyond 64 bits")


@given(st.integers(), st.text(st.sampled_from("a1 "), min_size=1, max_size=60))
def test_a_number_is_kept_as_it_is_or_refused(number, before):
    result = parse(json.dumps({"prompt": before, "x": number}).encode(), 0, Defaults(model="m"))

    if -(2**63) <= number < 2**64:
        assert body(result)["x"] == number
    else:
        assert "holds a number beyond 64 bits" in result.reason


@pytest.mark.parametrize("given", [NO_DEFAULTS, Defaults(response_format={"type": "json_schema"})])
def test_a_line_of_many_short_lists_is_a_job_before_and_after(given):
    raw = line(x=[[1]] * 300)

    assert isinstance(parse(raw, 0, given), Job)
    assert examine(raw, 0, given) == ("0", "m")


def test_a_line_may_be_nested_deeply_enough_for_any_schema():
    deep = [1]
    for _ in range(200):
        deep = [deep]

    assert isinstance(parse(line(x=deep), 0), Job)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(raw):
    assert isinstance(parse(raw, 0), BadLine)


TEXT = st.text(st.sampled_from("aé日🙂\n\x1b\u202e\ud800"), max_size=4)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXT, PLAIN, max_size=3)
NAMES = ["custom_id", "id", "method", "url", "body", "messages", "prompt", "model", "max_tokens"]
ROLES = st.lists(st.dictionaries(st.sampled_from(["role", "content"]), JSON), max_size=2)


@given(
    st.dictionaries(st.sampled_from([*NAMES, "n", "stream", "x"]), JSON | ROLES | st.just(HELLO))
)
def test_arbitrary_fields_become_a_job_or_one_sentence(fields):
    result = parse(json.dumps(fields).encode(), 0, Defaults(model="m", system="s", max_tokens=1))

    if isinstance(result, BadLine):
        assert result.reason.isprintable()
        assert len(result.reason) < 250
    else:
        assert orjson.loads(result.body)["messages"]
