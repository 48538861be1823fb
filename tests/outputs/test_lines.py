"""One line for each result: exact bytes out, and nothing but whole lines in."""

import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchrunner.model import Attempt, Failure, Job, Reply, Result
from batchrunner.outputs import lines
from batchrunner.outputs.lines import (
    LineError,
    check,
    decode,
    encode,
    failed,
    request_in,
    retryable,
    taken,
)

from .builders import AGAIN, CFG, FINAL, job, line, result

LONE = "a\ud800b"
AWKWARD = [
    "",
    "\n",
    '"',
    "\\",
    '\\"',
    "\r\n",
    "\x00\x1f\x7f",
    "é漢🎉",
    "\u2028",
    LONE,
    '","error":null',
]


def sealed(text):
    return b'%b,"crc":"%08x"}\n' % (text, zlib.crc32(text))


def test_the_bytes_of_an_answer_that_was_throttled_first():
    answer = Result(
        Job(7, "00000000000000ff", "task-7", "/chat/completions", "gpt-4o", b"{}"),
        Reply(200, {"x-request-id": "req-1"}, b'{"n": 1}'),
        (
            Attempt("westus", "throttled", 429, 0.03142, cause="tokens"),
            Attempt("eastus", "timeout", None, 60.0),
            Attempt("eastus", "ok", 200, 1.42),
        ),
    )

    text = (
        b'{"i":7,"fp":"00000000000000ff","custom_id":"task-7",'
        b'"response":{"status_code":200,"request_id":"req-1","body":{"n": 1}},"error":null,'
        b'"region":"eastus","attempts":['
        b'{"region":"westus","outcome":"throttled","status":429,"s":0.031,"cause":"tokens"},'
        b'{"region":"eastus","outcome":"timeout","status":null,"s":60.0},'
        b'{"region":"eastus","outcome":"ok","status":200,"s":1.42}],"cfg":"c0ffee00"'
    )
    assert encode(answer, CFG) == sealed(text)


def test_a_job_that_was_never_sent_has_neither_response_nor_region():
    bad = Result(job(), None, (), Failure("bad_line", "no JSON", retryable=False))

    record = decode(encode(bad, CFG))

    assert record["response"] is None
    assert record["region"] is None
    assert record["attempts"] == []
    assert record["error"] == {"code": "bad_line", "message": "no JSON", "retryable": False}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-request-id": "a", "apim-request-id": "b"}, "a"),
        ({"apim-request-id": "b"}, "b"),
        ({}, None),
    ],
)
def test_the_request_id_is_that_of_the_first_header_there_is(headers, expected):
    answer = replace(result(), reply=Reply(200, headers, b"{}"))

    assert decode(encode(answer, CFG))["response"]["request_id"] == expected


def test_an_answer_laid_out_over_many_lines_is_put_on_one_without_changing_a_digit():
    body = b'{\r\n  "big": 123456789012345678901234567890,\n\n\t"x": 1.10,\n  "s": "a\\n  b"\n}\n'

    text = encode(result(body=body), CFG)

    assert b'"body":{"big": 123456789012345678901234567890,"x": 1.10,"s": "a\\n  b"}}' in text
    assert check(text)


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@given(value=st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_an_answer_means_the_same_however_it_was_laid_out(indent, value):
    body = json.dumps({"v": value}, indent=indent, ensure_ascii=True).encode()

    text = encode(result(body=body), CFG)

    assert text.count(b"\n") == 1
    assert json.loads(text)["response"]["body"] == {"v": value}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"<html>\n502\x01</html>", "<html>\n502\x01</html>"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"a":NaN}', '{"a":NaN}'),
        (b'{"a":', '{"a":'),
        (b"x" * 9_000, "x" * 2_000),
        ("é".encode() * 9_000, "é" * 2_000),
        (b'{\n"error": {"code": 1}\n}', {"error": {"code": 1}}),
        (b"null", None),
    ],
)
def test_the_body_of_a_failure_is_kept_as_json_where_it_is_and_else_as_text(body, kept):
    text = encode(result(body=body, failure=FINAL), CFG)

    assert check(text)
    assert json.loads(text)["response"]["body"] == kept


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_comes_back_as_it_went_in(text):
    failure = Failure("code", text, retryable=False)
    record = decode(encode(result(custom_id=text, failure=failure), CFG))

    expected = text.replace("\ud800", "\ufffd")
    assert record["custom_id"] == record["error"]["message"] == expected
    assert record.get("sanitized", False) is (text is LONE)
    assert list(record)[-2:] == ["cfg", "crc"]


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_no_text_can_break_a_line(custom_id, message):
    failure = Failure("code", message, retryable=True)

    text = encode(result(5, custom_id=custom_id, failure=failure), CFG)

    assert check(text) == (5, b"0000000000000006")
    assert failed(text)
    assert retryable(text)
    decode(text)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_time_that_is_no_number_is_null(seconds):
    odd = replace(result(), attempts=(Attempt("eastus", "ok", 200, seconds),))

    assert json.loads(encode(odd, CFG))["attempts"][0]["s"] is None


def test_a_reader_gets_an_answer_with_half_a_surrogate():
    text = line(body=b'{"text":"\\ud800"}')

    assert decode(text)["response"]["body"] == {"text": "\ud800"}


@pytest.mark.parametrize("text", [b"", b"[]\n", b"{", b"\xff", b"[" * 100_000])
def test_a_reader_is_told_what_is_no_line(text):
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_a_line_that_no_reader_would_take_is_not_written(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE", 1_000)
    with pytest.raises(LineError, match="1000 at most"):
        line(body=b'"%s"' % (b"x" * 1_000))
    with pytest.raises(LineError, match="could not be read back"):
        encode(replace(result(), job=replace(job(), fingerprint="short")), CFG)
    with pytest.raises(LineError, match="could not be read back"):
        encode(replace(result(), job=replace(job(), ordinal=10**10)), CFG)
    with pytest.raises(LineError, match="8 hex digits"):
        encode(result(), "C0FFEE00")


# --- check


def test_check_tells_whose_line_it_is():
    assert check(line(0)) == (0, b"0000000000000001")
    assert check(line(9_999_999_999)) == (9_999_999_999, b"00000002540be400")


@pytest.mark.parametrize(
    "text",
    [
        line()[:-1],
        line() + b"\n",
        line() + line(),
        b" " + line(),
        line()[1:],
        b"\0" * 64 + line(),
        b"",
        b"\n",
        b'{"i":0}\n',
        sealed(b'{"v":1,"synced":5'),
        sealed(b'{"i":01,"fp":"0000000000000001","cfg":"00000000"'),
        sealed(b'{"i":+1,"fp":"0000000000000001","cfg":"00000000"'),
        sealed(b'{"i":10000000000,"fp":"0000000000000001","cfg":"00000000"'),
        sealed(b'{"i":1,"fp":"000000000000000G","cfg":"00000000"'),
        sealed(b'{"i":1,"fp":"0000000000000001","cfg":"00000000","x":"1"'),
        sealed(b'{"i":1,"fp":"0000000000000001","a":"\n","cfg":"00000000"'),
        line().replace(b'"crc":"', b'"CRC":"'),
    ],
)
def test_check_takes_nothing_else(text):
    assert check(text) is None


@given(st.binary(max_size=200))
@example(b"")
def test_no_noise_is_a_line(noise):
    assert check(noise) is None
    assert check(noise + b"\n") is None
    assert check(b'{"i":1,"fp":"0000000000000001",' + noise + b'"}\n') is None


@given(st.data())
def test_a_line_with_a_byte_changed_is_none(data):
    text = bytearray(line(3))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))

    assert check(bytes(text)) is None


# --- failures are found without parsing, whatever an answer says

LIES = [
    b'{"error":null}',
    b'{"a":1,"error":null}',
    b'{"a":1,"error":{"code":"x","message":"","retryable":true},"region":"r"}',
    b'{"text":"\\",\\"error\\":null,"}',
    b'{"text":",\\"error\\":{\\"retryable\\":true},\\"region\\":\\""}',
]


@pytest.mark.parametrize("body", LIES)
@pytest.mark.parametrize(
    ("failure", "expected"),
    [(None, (False, False)), (AGAIN, (True, True)), (FINAL, (True, False))],
)
def test_a_failure_is_told_by_its_own_error_and_no_other(body, failure, expected):
    text = line(body=body, failure=failure)

    assert (failed(text), retryable(text)) == expected


@pytest.mark.parametrize(
    "region", ['"error":null', ',"error":null,', '"retryable":true},"region":"']
)
def test_no_name_of_a_region_can_pass_for_an_error(region):
    named = replace(result(failure=FINAL), attempts=(Attempt(region, region, 400, 0.1),))

    text = encode(named, CFG)

    assert failed(text)
    assert not retryable(text)


REQUEST = "0123456789abcdef" * 2


def asked(answer, request=REQUEST):
    return replace(answer, job=replace(answer.job, request=request))


def test_a_request_and_its_reuse_stand_behind_the_attempts():
    text = encode(replace(asked(result()), reused=True, attempts=()), CFG)

    assert text[: text.rindex(b',"crc"')].endswith(
        b',"region":null,"attempts":[],"request":"%b","reused":true,"cfg":"c0ffee00"'
        % REQUEST.encode()
    )
    assert decode(text)["request"] == REQUEST
    assert decode(text)["reused"] is True
    assert "reused" not in decode(encode(asked(result()), CFG))


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("custom_id", AWKWARD)
@pytest.mark.parametrize("failure", [None, AGAIN, FINAL])
def test_the_request_of_a_line_is_found_whatever_else_it_says(custom_id, failure, reused):
    forged = b'{"x":",\\"request\\":\\"%b\\"","request":"%b"}' % (b"f" * 32, b"f" * 32)
    answer = replace(result(0, forged, failure, custom_id=custom_id), reused=reused)

    text = encode(asked(answer), CFG)

    assert request_in(text) == REQUEST.encode()
    assert request_in(encode(answer, CFG)) is None
    assert failed(text) is (failure is not None)
    assert retryable(text) is (failure is AGAIN)


@pytest.mark.parametrize("custom_id", AWKWARD)
@pytest.mark.parametrize(
    "body", [b'{"n":10000000000000000000000001,"error":null}', b'"', b"no JSON"]
)
@pytest.mark.parametrize("failure", [None, FINAL])
@pytest.mark.parametrize("request_id", [None, "req-1", *AWKWARD])
def test_what_a_line_says_is_taken_for_another_job_to_the_last_digit(
    custom_id, body, failure, request_id
):
    if failure is None and not body.startswith(b"{"):
        body = b'{"region":"x","response":null}'
    headers = {} if request_id is None else {"x-request-id": request_id}
    first = replace(result(3, body, failure, custom_id=custom_id), reply=Reply(200, headers, body))
    text = encode(asked(first), CFG)
    other = replace(job(9), request=REQUEST)

    result_ = taken(text, other)

    assert (result_.job, result_.attempts, result_.usage, result_.reused) == (
        other,
        (),
        None,
        True,
    )
    assert result_.failure == failure
    again = encode(result_, CFG)
    assert check(again) == (9, b"000000000000000a")
    between = [
        line[line.index(b'"response":') : line.rindex(b',"region":')] for line in (text, again)
    ]
    assert between[0].split(b'"body":')[1] == between[1].split(b'"body":')[1]


def test_a_failure_without_a_reply_is_taken_without_one():
    bad = Result(job(), None, (), FINAL)

    assert taken(encode(bad, CFG), job(1)) == Result(job(1), None, (), FINAL, reused=True)


def test_what_is_no_line_cannot_be_taken():
    with pytest.raises(ValueError, match="not a whole line"):
        taken(b"{}\n", job())


# --- what a job cost


@pytest.mark.parametrize(
    ("cost", "written"),
    [
        (0.00012345, b"0.00012345"),
        (1e-10, b"0.0"),
        (0.0, b"0.0"),
        (12.5, b"12.5"),
        (3e-9, b"3e-9"),
    ],
)
def test_what_a_job_cost_stands_between_its_attempts_and_the_settings(cost, written):
    named = replace(asked(result()), reused=False)

    text = encode(named, CFG, cost)

    assert b'}],"cost_usd":%b,"request":"' % written in text
    assert check(text)
    assert request_in(text) == named.job.request.encode()
    assert taken(text, job(1)).reply.body == named.reply.body


def test_a_line_says_nothing_of_a_cost_that_is_not_known():
    assert b"cost_usd" not in encode(result(), CFG)


@pytest.mark.parametrize("failure", [AGAIN, FINAL])
def test_a_cost_hides_no_failure(failure):
    text = encode(result(failure=failure), CFG, 0.5)

    assert failed(text)
    assert retryable(text) is failure.retryable
