"""A key goes to its region and nowhere else, whatever happens: every fault and every command."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from batchrunner.cli.app import app
from batchrunner.doctor.asking import PROMPT
from tests.collector import collecting
from tests.faultserver import OK, Line, faulty, reply, says
from tests.security.commands import KEY, regions, start
from tests.test_wire import BROKEN, SILENT

pytestmark = pytest.mark.socket

BROKE = json.dumps({"error": {"code": "insufficient_quota", "message": KEY}}).encode()
ECHO = json.dumps({"error": {"message": f"api-key: {KEY}", "code": KEY, "type": KEY}}).encode()


def answers(body, *rest):
    """A behaviour: answer so, and listen to what comes next on the connection."""

    async def behave(line, _):
        await line.say(reply(body, *rest))

    return behave


COSTLY = {
    **{name: behave for name, (behave, _) in BROKEN.items()},
    **SILENT,
    "garbage with the key": says(f"{KEY}\r\n\r\n".encode(), then=Line.close),
    "HTML with the key": answers(f"<h1>{KEY}</h1>".encode()),
    "NaN": answers(b'{"choices":[{"message":{"content":NaN}}]}'),
    "an answer with the key": answers(OK.replace(b"yes", KEY.encode())),
    "an answer with the key in a header": answers(OK, "200 OK", f"x-request-id: {KEY}"),
    "400 with the key": answers(ECHO, "400 No", f"x-request-id: {KEY}"),
    "422 with the key as text": answers(KEY.encode(), "422 No"),
    "503 with the key": answers(ECHO, "503 No"),
}
#: these take a region out, so each has a run of its own
BARRING = {
    "401 with the key": answers(ECHO, "401 No"),
    "404 with the key": answers(ECHO, "404 No"),
    "a redirect with the key": answers(ECHO, "307 No", f"location: https://evil/?k={KEY}"),
    "429 for want of money": answers(BROKE, "429 No"),
}


def write_jobs(place, names):
    lines = [json.dumps({"id": name, "prompt": name, "model": "m"}) for name in names]
    (place / "in.jsonl").write_text("\n".join(lines))


def as_asked(behaviours):
    """A server that does to each job what its prompt names."""

    async def behave(line, heard):
        name = json.loads(heard.body)["messages"][0]["content"]
        await behaviours[name](line, heard)

    return behave


def assert_clean(place, *ended):
    """The key stands in no file but the one that it came from, and was not printed."""
    for end in ended:
        assert KEY not in end.out + end.err
    files = [path for path in place.rglob("*") if path.is_file() and path.name != ".env"]
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []


def write_env(place, url, count):
    env = place / ".env"
    env.write_text(regions(*(f"{url}/{n}" for n in range(count))))
    env.chmod(0o600)


def test_no_fault_makes_a_key_appear_anywhere(tmp_path, command, serve):
    write_jobs(tmp_path, COSTLY)
    server = serve(as_asked(COSTLY))
    write_env(tmp_path, server.url, 12)
    ended = command("run", "in.jsonl", "--max-attempts", 1, "--timeout", 1, "--json")
    exported = command("export", "in.results.jsonl", "-o", "t.csv", "--columns", "error_code")

    text = (tmp_path / "in.results.jsonl").read_text()
    results = [json.loads(line) for line in text.splitlines()]
    assert ended.code == 1
    assert {heard.headers["api-key"] for heard in server.heard} == {KEY}
    assert {result["custom_id"] for result in results} == set(COSTLY)
    assert {result["attempts"][-1]["outcome"] for result in results} == {
        *("ok", "refused", "reset", "protocol", "timeout", "bad_payload", "http_503")
    }
    assert "(key)" in text
    assert exported.code == 1
    assert_clean(tmp_path, ended, exported)


def test_no_fault_makes_a_key_appear_in_what_a_collector_is_told(
    tmp_path, command, serve, monkeypatch
):
    write_jobs(tmp_path, COSTLY)
    server = serve(as_asked(COSTLY))
    write_env(tmp_path, server.url, 12)
    with collecting() as (collected, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        ended = command("run", "in.jsonl", "--max-attempts", 1, "--timeout", 1, "--telemetry")

    assert ended.code == 1
    assert len(collected.spans) == len(server.heard)
    assert KEY.encode() not in b"".join(collected.raw)
    assert KEY not in str(collected.headers)
    assert_clean(tmp_path, ended)


@pytest.mark.parametrize("name", BARRING)
def test_no_refusal_makes_a_key_appear_anywhere(tmp_path, command, serve, name):
    write_jobs(tmp_path, [name])
    server = serve(as_asked(BARRING))
    write_env(tmp_path, server.url, 1)
    ended = command("run", "in.jsonl", "--json")

    assert ended.code == 8
    assert "region1: " in ended.err
    assert len(server.heard) == 1
    assert_clean(tmp_path, ended)


@pytest.mark.parametrize("how", ["", "--json"])
def test_no_reply_and_no_variable_makes_the_doctor_show_a_key(
    tmp_path, command, serve, monkeypatch, how
):
    behaviours = [*COSTLY.values(), *BARRING.values()]

    async def behave(line, heard):
        number = int(heard.line.split("/")[1])
        await behaviours[number](line, heard)

    server = serve(behave)
    write_env(tmp_path, server.url, len(behaviours))
    (tmp_path / ".env").chmod(0o644)
    for name in ("AZURE_OPENAI_API_KEY_2", "OPENAI_API_KEY_1", "AZURE_OPENAI_KEY_99"):
        monkeypatch.setenv(name, f"'{KEY}")
    ended = command("doctor", "--model", "m", "--timeout", 1, *filter(None, [how]))

    assert ended.code == 1
    assert len({heard.line for heard in server.heard}) == len(behaviours)
    assert "chmod 600" in ended.out
    assert "did you mean AZURE_OPENAI_API_KEY_99" in ended.out
    assert_clean(tmp_path, ended)


COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]
WITHOUT_RESULTS = {"run", "simulate", "doctor"}
WRONG = [
    ["run", "in.jsonl", "--concurrency", "0"],
    ["run", "bad.jsonl"],
    ["run", "none.jsonl"],
    ["run", "in.jsonl", "--config", "bad.toml"],
    ["run", "in.jsonl", "--frobnicate"],
    ["export", "bad.jsonl", "-o", "t.csv"],
    ["doctor"],
    ["doctor", "--model", "m"],
    ["doctor", "--model", "m", "--json"],
    ["doctor", "--config", "bad.toml"],
    *([command, "in.results.jsonl"] for command in COMMANDS if command not in WITHOUT_RESULTS),
    *([command, "--help"] for command in COMMANDS),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_no_command_shows_a_key(tmp_path, command, arguments):
    write_jobs(tmp_path, ["a"])
    (tmp_path / "bad.jsonl").write_text(f'{{"prompt": "a", "api_key": "{KEY}-job"}}\n')
    (tmp_path / "bad.toml").write_text('[[regions]]\nendpoint = "https://a"\nkey = "UNSET"\n')
    write_env(tmp_path, "http://127.0.0.1:1", 1)
    ended = command(*arguments)

    assert ended.out + ended.err
    assert KEY not in ended.out + ended.err


AFTER = [
    ["status", "in.results.jsonl", "--json"],
    ["status", "in.results.jsonl", "--follow"],
    *(["explain", "in.results.jsonl", name, "--json"] for name in ("503 with the key", "none")),
    *(["explain", "in.results.jsonl", f"#{n}", "--answer"] for n in range(1, len(COSTLY) + 1)),
    ["verify", "in.results.jsonl", "--input", "in.jsonl"],
    ["report", "in.results.jsonl"],
    ["report", "in.results.jsonl", "--json"],
    ["retry", "in.results.jsonl", "--dry-run", "--json"],
    ["retry", "in.results.jsonl", "--only", "code=http_503", "--max-attempts", "1"],
    ["retry", "in.results.jsonl", "--only", f"code={KEY[:6]}"],
    ["plan", "in.jsonl", "--json"],
    ["plan", "in.jsonl", "--probe"],
    ["ctl", "in.results.jsonl", "show"],
    ["ctl", "in.results.jsonl", "out", "region1"],
    ["report", "in.results.jsonl", "-o", "-"],
]


def test_no_command_that_looks_at_a_run_shows_a_key(tmp_path, command, serve):
    """What services echoed is in the files by then; it has gone through the mask."""
    write_jobs(tmp_path, COSTLY)
    server = serve(as_asked({**COSTLY, PROMPT: COSTLY["400 with the key"]}))
    write_env(tmp_path, server.url, 12)
    command("run", "in.jsonl", "--max-attempts", 1, "--timeout", 1, "--quiet")

    ended = [command(*arguments) for arguments in AFTER]

    codes = {" ".join(map(str, a)): end.code for a, end in zip(AFTER, ended, strict=True)}
    assert all(end.out + end.err for end in ended), codes
    assert {name: code for name, code in codes.items() if code not in (0, 1)} == {
        "explain in.results.jsonl none --json": 2,
        "ctl in.results.jsonl show": 2,
        "ctl in.results.jsonl out region1": 2,
    }
    assert_clean(tmp_path, *ended)


async def test_the_simulator_shows_its_own_keys_and_none_of_ours(tmp_path):
    write_env(tmp_path, "http://127.0.0.1:1", 1)
    process = await start(tmp_path, "simulate", "--port", 0, AZURE_OPENAI_API_KEY=KEY)
    said = b""
    while b"AZURE_OPENAI_ENDPOINT_1" not in said:
        said += await asyncio.wait_for(process.stdout.readline(), 60)
    process.send_signal(signal.SIGINT)
    rest, err = await process.communicate()

    assert KEY.encode() not in said + rest + err


async def test_a_key_is_not_in_the_list_of_processes(tmp_path):
    """What every user of the machine can read about a run, nor in what the SDK says when asked.

    The environment of a process can be read by its owner only.
    """
    write_jobs(tmp_path, ["a"])
    release = asyncio.Event()

    async def hold(line, _):
        await release.wait()
        await line.say(reply())

    async with faulty(hold) as server:
        write_env(tmp_path, server.url, 1)
        process = await start(tmp_path, "run", "in.jsonl", OPENAI_LOG="debug")
        await asyncio.wait_for(server.asked.wait(), 60)
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes()  # noqa: ASYNC240 - no disk
        release.set()
        out, err = await process.communicate()

    assert process.returncode == 0
    assert b"openai._base_client" in err  # the SDK tells everything it does
    assert KEY.encode() not in out + err
    assert b"in.jsonl" in listed
    assert KEY.encode() not in listed


OPTIONS = ["--api-key", "--api-key=", "--key=", "--azure-api-key", "--openai-api-key", "--token"]


@pytest.mark.parametrize("option", OPTIONS)
def test_there_is_no_option_for_a_key_and_who_gives_one_is_told_why(command, option):
    ended = command("run", "in.jsonl", *([option + KEY] if option[-1] == "=" else [option, KEY]))

    assert ended.code == 2
    assert f"there is no option {option.rstrip('=')}: whoever lists processes" in ended.err
    assert KEY not in ended.out + ended.err


def test_a_password_of_a_proxy_is_not_given_as_an_option_either(command):
    ended = command("run", "in.jsonl", "--proxy", f"http://u:{KEY}@proxy")

    assert ended.code == 2
    assert "set BATCHRUNNER_PROXY" in ended.err
    assert KEY not in ended.err


def test_a_stranger_gets_no_key_unless_the_host_is_allowed(tmp_path, command):
    write_jobs(tmp_path, ["a"])
    write_env(tmp_path, "https://gateway.invalid", 1)
    ended = command("run", "in.jsonl")

    assert ended.code == 2
    assert "--allow-host gateway.invalid" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "in.jsonl"]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_an_allowed_host_is_let_through_to_the_next_question(tmp_path, command, monkeypatch, how):
    write_env(tmp_path, "https://gateway.invalid", 1)
    given = ["--allow-host", "other.invalid", "--allow-host", "gateway.invalid"]
    if how == "variable":
        monkeypatch.setenv("BATCHRUNNER_ALLOW_HOSTS", "other.invalid, gateway.invalid")
        given = []
    ended = command("run", "none.jsonl", *given)

    assert (ended.code, ended.err.split(":")[1]) == (2, " none.jsonl does not exist")


def test_a_name_that_steers_terminals_is_shown_without_its_escapes(command):
    ended = command("run", "\x1b]0;owned\x07\u202e.jsonl", "--simulate")

    assert ended.code == 2
    assert "does not exist" in ended.err
    assert "\x1b" not in ended.err
    assert "\u202e" not in ended.err


def test_a_proxy_is_named_when_it_is_used_and_its_password_is_not(
    tmp_path, command, serve, monkeypatch
):
    write_jobs(tmp_path, ["a"])
    server, trap = serve(), serve()
    write_env(tmp_path, server.url, 1)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, trap.url)
    monkeypatch.setenv("BATCHRUNNER_PROXY", f"http://me:{KEY}-pw@127.0.0.1:{trap.port}")
    ended = command("run", "in.jsonl")

    assert ended.code == 0
    assert f"through the proxy http://127.0.0.1:{trap.port}\n" in ended.err
    assert trap.connections == 0  # not within this machine
    assert_clean(tmp_path, ended)


def test_no_part_of_the_package_unpacks_objects_or_runs_text():
    """No pickle, no YAML, no eval: what is read is data."""
    package = Path(__file__).parents[2] / "batchrunner"
    unsafe = re.compile(r"\b(pickle|marshal|shelve|yaml|eval\(|exec\(|os\.system|shell=True)")
    found = [p.name for p in package.rglob("*.py") if unsafe.search(p.read_text(encoding="utf-8"))]

    assert found == []
