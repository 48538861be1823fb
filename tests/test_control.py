"""The socket of a live run: for its owner alone, and nobody at its other end disturbs the run."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from batchrunner.channel import LONGEST, connect
from batchrunner.cli import main
from batchrunner.commands.ctl import ask
from batchrunner.control import AT_ONCE, Control, carry_out
from batchrunner.errors import BatchrunnerError, UsageError
from batchrunner.orders import Order
from batchrunner.outputs.lock import acquire
from tests.security.commands import batchrunner, start

pytestmark = pytest.mark.socket
SHOW = Order(do="show")


def obey(order):
    if order.name == "a bug":
        raise ZeroDivisionError("so it goes")
    if order.name == "mars":
        raise UsageError("there is no region 'mars'")
    return {"said": [f"{order.do} {order.name}"], "state": {}}


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@asynccontextmanager
async def controlled(output, **options):
    """A run's control and nothing else of it; what it complains of comes out."""
    complaints = []
    control = Control(output, obey, complaints.append, **options)
    async with anyio.create_task_group() as group:
        group.start_soon(control.serve)
        await until(lambda: where(output).is_socket() or complaints)
        yield complaints
        group.cancel_scope.cancel()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(happens):
    """Give others their turn until something is so."""
    with anyio.fail_after(60):
        while not happens():  # noqa: ASYNC110 - files set no events
            await anyio.sleep(0.005)


def where(output):
    return output.with_name(output.name + ".ctl")


async def asked(output, order=SHOW):
    return await anyio.to_thread.run_sync(ask, output, order, limiter=anyio.CapacityLimiter(1))


# --- the socket


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
async def test_the_socket_is_for_its_owner_alone_and_goes_with_the_run(tmp_path, mask):
    output = tmp_path / "r.jsonl"
    with umask(mask):
        async with controlled(output):
            found = where(output).stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
            assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl.ctl"]

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 200, 240])
async def test_paths_and_names_that_are_longer_than_a_socket_may_be_called(tmp_path, length):
    place = tmp_path / ("d" * 200) / ("e" * 200)
    place.mkdir(parents=True)
    output = place / ("r" * length)
    async with controlled(output) as complaints:
        assert (await asked(output))["said"] == ["show None"]
        assert complaints == []


async def test_what_a_killed_run_left_is_replaced(tmp_path):
    output = tmp_path / "r.jsonl"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(where(output)))
    left.close()
    before = where(output).stat().st_ino
    async with anyio.create_task_group() as group:
        group.start_soon(Control(output, obey, print).serve)
        await until(lambda: where(output).stat().st_ino != before)
        assert (await asked(output))["ok"]
        group.cancel_scope.cancel()
    assert not where(output).exists()


async def test_a_file_that_is_no_socket_stays_and_the_run_goes_on(tmp_path):
    output = tmp_path / "r.jsonl"
    where(output).write_text("mine")
    async with controlled(output) as complaints:
        assert len(complaints) == 1
        assert f"there is no socket {where(output)}: r.jsonl.ctl is no socket" in complaints[0]
    assert where(output).read_text() == "mine"


async def test_a_link_is_not_followed(tmp_path):
    output = tmp_path / "r.jsonl"
    where(output).symlink_to(tmp_path / "elsewhere")
    async with controlled(output) as complaints:
        assert "is no socket" in complaints[0]
    assert not (tmp_path / "elsewhere").exists()


async def test_where_nothing_can_be_made_the_run_goes_on(tmp_path):
    output = tmp_path / "gone" / "r.jsonl"
    async with controlled(output) as complaints:
        assert "No such file or directory" in complaints[0]


async def test_the_socket_of_a_later_run_is_left_alone(tmp_path):
    output = tmp_path / "r.jsonl"
    async with controlled(output):
        where(output).unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(where(output)))
    assert where(output).is_socket()
    other.close()


# --- whoever is at the other end


BAD = {
    "nothing": b"",
    "an empty line": b"\n",
    "half a line": b'{"do":"show"',
    "no JSON": b"show\n",
    "no UTF-8": b"\xff\xfe\n",
    "no order": b"[]\n",
    "nothing to do": b"{}\n",
    "another verb": b'{"do":"frobnicate"}\n',
    "something more": b'{"do":"show","key":"k"}\n',
    "nested": b"[" * 4000 + b"\n",
    "numbers that are none": b'{"do":"concurrency","concurrency":1e999}\n',
    "zero": b'{"do":"concurrency","concurrency":0}\n',
    "a huge number": b'{"do":"region","name":"a","rpm":' + b"9" * 4000 + b"}\n",
    "text for a number": b'{"do":"concurrency","concurrency":"8"}\n',
    "an unknown region": b'{"do":"out","name":"mars"}\n',
    "half of a sign": b'{"do":"out","name":"\\ud800"}\n',
    "what meets a bug": b'{"do":"out","name":"a bug"}\n',
    "too long": b"x" * (LONGEST + 1),
    "a megabyte without an end": b"x" * (1 << 20),
}


def said(path, content, *, half_close=True):
    """What is answered to these bytes; empty where the connection ends."""
    with connect(path, 10.0) as connection:
        heard = b""
        try:
            connection.sendall(content)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(1 << 16):
                heard += more
        except (ConnectionResetError, BrokenPipeError):
            pass
    return heard


@pytest.mark.parametrize("name", BAD)
async def test_whatever_comes_the_next_one_is_answered(tmp_path, name):
    output = tmp_path / "r.jsonl"
    async with controlled(output):
        heard = await anyio.to_thread.run_sync(said, where(output), BAD[name])
        assert (await asked(output))["said"] == ["show None"]
    if heard:
        answer = json.loads(heard)
        assert answer["ok"] is False
        assert len(heard) < 500
    else:
        assert name == "a megabyte without an end"


async def test_who_says_nothing_is_dropped_and_keeps_nobody_waiting(tmp_path):
    output = tmp_path / "r.jsonl"
    async with controlled(output, patience=0.3):
        silent = [connect(where(output), 10.0) for _ in range(3 * AT_ONCE)]
        assert (await asked(output))["ok"]
        assert await anyio.to_thread.run_sync(silent[-1].recv, 100) == b""
        for one in silent:
            one.close()


async def test_who_says_too_much_is_told_so_before_it_ends(tmp_path):
    output = tmp_path / "r.jsonl"
    async with controlled(output):
        with connect(where(output), 10.0) as connection:
            connection.sendall(b"x" * (LONGEST + 1))
            heard = await anyio.to_thread.run_sync(connection.recv, 1000)
    assert b"an order is one line of at most" in heard


async def test_who_hangs_up_disturbs_nobody(tmp_path):
    output = tmp_path / "r.jsonl"
    async with controlled(output):
        for _ in range(100):
            connection = connect(where(output), 10.0)
            connection.sendall(b'{"do":"show"}\n')
            connection.close()
        assert (await asked(output))["ok"]


async def test_many_at_once_are_all_answered(tmp_path):
    output = tmp_path / "r.jsonl"
    answers = []

    async def one(number):
        order = Order(do="out", name=f"region-{number}")
        answers.append((await asked(output, order))["said"][0])

    async with controlled(output), anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(one, number)
        await until(lambda: len(answers) == 200)
    assert sorted(answers) == sorted(f"out region-{n}" for n in range(200))


async def test_a_conversation_leaves_no_descriptor_open(tmp_path):
    output = tmp_path / "r.jsonl"
    before = descriptors()
    async with controlled(output):
        for _ in range(5):
            await anyio.to_thread.run_sync(said, where(output), b'{"do":"show"}\n')
    assert descriptors() == before


STRANGER = """
import os, socket, sys
from pathlib import Path
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
    s.sendall(b'{"do":"pause"}\\n')
    print(s.recv(1000).decode())
except PermissionError:
    print("refused by the mode")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o600, 0o666])
async def test_another_user_is_refused_by_the_mode_and_by_name(mode):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "r.jsonl"
        output.parent.chmod(0o755)  # so that only the socket is in the way
        async with controlled(output):
            where(output).chmod(mode)
            command = [sys.executable, "-c", STRANGER, str(where(output))]
            done = await anyio.run_process(command)

    expected = b"refused by the mode" if mode == 0o600 else b"only the user whose run it is"
    assert expected in done.stdout


# --- who asks


def test_where_no_run_is_alive_it_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"no run is writing .*r\.jsonl"):
        ask(tmp_path / "r.jsonl", SHOW)


async def test_what_a_killed_run_left_is_no_run(tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "r.jsonl.ctl"))
    left.close()

    with pytest.raises(UsageError, match="no run is writing"):
        ask(tmp_path / "r.jsonl", SHOW)


async def test_a_run_without_a_socket_is_named_with_the_reasons_that_there_may_be(tmp_path):
    output = tmp_path / "r.jsonl"
    with acquire(output), pytest.raises(UsageError, match="--no-control") as caught:
        ask(output, SHOW)

    assert f"process {os.getpid()} on" in str(caught.value)


async def test_a_run_that_ends_before_it_answers(tmp_path):
    output = tmp_path / "r.jsonl"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(where(output)))
    listener.listen()

    def hang_up():
        listener.accept()[0].close()

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, hang_up)
        with pytest.raises(BatchrunnerError):
            await asked(output)
    listener.close()


def test_an_order_that_is_wrong_is_told_which_part():
    assert carry_out(b'{"do":"concurrency","concurrency":0}', obey) == {
        "ok": False,
        "error": "concurrency: Input should be greater than or equal to 1",
    }


# --- through the front door


SCENARIO = """
seed = 1
[[regions]]
name = "eastus"
key = "k1"
rpm = 6000
latency = { speed = 5.0 }
[[regions]]
name = "westus"
key = "k2"
rpm = 6000
latency = { speed = 5.0 }
"""


def write(place, jobs=10_000):
    (place / "s.toml").write_text(SCENARIO)
    lines = [
        {"id": str(n), "prompt": f"Say {n}.", "model": "gpt-4o-mini", "max_tokens": 9}
        for n in range(jobs)
    ]
    (place / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


async def begun(place, *options):
    """A run that has a socket."""
    run = ("run", "in.jsonl", "--simulate", "s.toml", "--concurrency", 8, *options)
    process = await start(place, *run)
    with anyio.fail_after(60):
        while process.returncode is None:
            try:
                await asked(place / "in.results.jsonl")
            except UsageError:
                await anyio.sleep(0.05)
            else:
                break
    return process


async def ctl(place, *words):
    return await batchrunner(place, "ctl", "in.results.jsonl", *words)


async def test_a_run_is_steered_by_commands(tmp_path):
    """The processes take a second each to start: hence one story for all of them."""
    write(tmp_path)
    process = await begun(tmp_path)
    answers = [
        await ctl(tmp_path, *words.split())
        for words in (
            "region eastus --rpm 1200 --concurrency 4",
            "out westus",
            "concurrency 16",
            "pause",
            "out mars",
        )
    ]
    shown = await batchrunner(tmp_path, "ctl", "in.results.jsonl", "show", "--json")
    answers += [shown, await ctl(tmp_path, "stop")]
    _, err = await asyncio.wait_for(process.communicate(), 60)

    assert [answer.code for answer in answers] == [0, 0, 0, 0, 2, 0, 0]
    assert "eastus: 1,200 requests per minute (was " in answers[0].out
    assert "concurrency: at most 16 jobs in flight (was 8)" in answers[2].out
    state = json.loads(shown.out)["state"]
    assert (state["paused"], state["concurrency"], state["total"]) == (True, 16, 10_000)
    assert state["regions"]["westus"]["state"] == "out"
    assert "no region 'mars'; known: eastus, westus" in answers[4].err
    assert process.returncode == 130
    stats = json.loads((tmp_path / "in.results.jsonl.stats.json").read_bytes())
    assert len(stats["steered"]) == 6
    assert all(f"ctl: {one['what']}" in err.decode() for one in stats["steered"])
    assert stats["stopped"].startswith("stopped by ctl")
    assert not (tmp_path / "in.results.jsonl.ctl").exists()


async def test_a_run_that_goes_on_after_a_kill_is_steered_too(tmp_path):
    write(tmp_path)
    output = tmp_path / "in.results.jsonl"
    first = await begun(tmp_path)
    await asked(output, Order(do="pause"))
    await anyio.lowlevel.checkpoint()
    first.send_signal(signal.SIGKILL)
    await first.communicate()
    assert where(output).is_socket()
    with pytest.raises(UsageError, match="no run is writing"):
        await asked(output)
    second = await begun(tmp_path)
    state = (await asked(output, Order(do="stop")))["state"]
    await second.communicate()

    assert state["paused"] is False  # what a person changed ends with the run
    assert second.returncode == 130
    assert not where(output).exists()


WRONG = {
    "concurrency": "concurrency needs a number",
    "concurrency many": "concurrency needs a number",
    "concurrency 0": "concurrency: Input should be greater than or equal to 1",
    "region eastus": "region NAME needs a limit",
    "region --rpm 5": "region needs the name of a region",
    "region eastus --rpm 0": "rpm: Input should be greater than or equal to 1",
    "out": "out needs the name of a region",
    "pause --rpm 5": "--rpm belongs to: region NAME",
    "pause eastus": "pause takes nothing more: leave out 'eastus'",
    "show": "no run is writing",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_told_before_anybody_is_asked(tmp_path, capsys, words):
    with pytest.raises(SystemExit) as ended:
        main(["ctl", str(tmp_path / "r.jsonl"), *words.split()])

    assert ended.value.code == 2
    assert WRONG[words] in capsys.readouterr().err


async def test_a_run_that_takes_no_orders_has_no_socket(tmp_path):
    write(tmp_path, 40)
    ended = await batchrunner(tmp_path, "run", "in.jsonl", "--simulate", "s.toml", "--no-control")

    assert ended.code == 0
    assert not (tmp_path / "in.results.jsonl.ctl").exists()
