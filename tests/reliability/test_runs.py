"""The whole command, over real sockets, killed and interrupted; the simulator counts the calls."""

import json
import os
import pty
import random
import resource
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from batchrunner.outputs.checkpoint import checkpoint_path, load
from batchrunner.simulator import validate
from batchrunner.simulator.server import serve

from .tools import assert_whole, rounds

pytestmark = pytest.mark.socket
FOREIGN = ("AZURE_", "OPENAI_", "BATCHRUNNER_")  #: variables that a run would heed
JOBS, WORKERS = 60, 10
OUTPUT = Path("in.results.jsonl")
SCENARIO = {
    "seed": 1,
    "regions": [
        {"name": name, "key": f"key-of-{name}", "latency": {"speed": 25.0}}
        for name in ("eastus", "westus")
    ],
}


class Bench:
    """A simulator, an input, and the command line as processes."""

    def __init__(self, simulation):
        self.simulation = simulation
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.environ |= simulation.environ()
        self.processes = []

    def start(self, *options, before=(), **popen):
        command = [*before, sys.executable, "-m", "batchrunner", "run", "in.jsonl", "--json"]
        command += ["--concurrency", str(WORKERS), *map(str, options)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
        process = subprocess.Popen(command, env=self.environ, **streams)  # noqa: S603
        self.processes.append(process)
        return process

    async def end(self, process):
        """Exit code, the summary where there is one, and what it complained of."""
        out, err = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=60))
        assert b"Traceback" not in (err or b""), err
        return process.returncode, json.loads(out) if out else None, (err or b"").decode()

    async def run(self, *options):
        return await self.end(self.start(*options))

    @property
    def calls(self):
        return sum(region["calls"] for region in self.simulation.statistics().values())

    async def lines(self, process, count):
        """Until there are so many results, or the run is over."""
        await self.wait(process, lambda: count_lines() >= count)

    async def wait(self, process, condition, patience=30.0):
        """Real processes have no virtual clock: look until it is so, or the run is over."""
        with anyio.fail_after(patience):
            while process.poll() is None and not condition():  # noqa: ASYNC110 - nothing tells us
                await anyio.sleep(0.005)


def count_lines():
    return OUTPUT.read_bytes().count(b"\n") if OUTPUT.exists() else 0


async def left_alone(process, seconds):
    """Let a process do what it does for a while."""
    with suppress(subprocess.TimeoutExpired):
        await anyio.to_thread.run_sync(process.wait, seconds)


def write_jobs(count):
    lines = [{"id": f"j{n}", "prompt": f"Say {n}.", "model": "gpt-4o-mini"} for n in range(count)]
    Path("in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def opened(jobs=JOBS, **region):
        write_jobs(jobs)
        scenario = SCENARIO | {"regions": [r | region for r in SCENARIO["regions"]]}
        async with serve(validate(scenario)) as simulation:
            made = Bench(simulation)
            try:
                yield made
            finally:
                for process in made.processes:
                    process.kill()
                    process.wait()
                    for stream in filter(None, (process.stdout, process.stderr)):
                        stream.close()

    return opened


@pytest.mark.parametrize("seed", rounds(1, 40))
async def test_killed_again_and_again_every_job_has_one_line(bench, seed):
    rng = random.Random(seed)
    async with bench() as made:
        kills = 0
        for _ in range(2 if seed == 0 else 6):
            process = made.start()
            if rng.random() < 0.7:
                await made.lines(process, rng.randint(1, JOBS))
            else:  # anywhere, also before it has begun
                await left_alone(process, rng.uniform(0.3, 2.5))
            process.kill()
            code, *_ = await made.end(process)
            assert code in {0, -signal.SIGKILL}
            kills += code == -signal.SIGKILL

        code, summary, _ = await made.run()
        assert code == 0
        assert summary["jobs"]["ok"] == JOBS
        assert_whole(OUTPUT, JOBS)
        assert made.calls <= JOBS + kills * WORKERS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seed", rounds(1, 25))
async def test_interrupted_again_and_again_nothing_is_paid_twice(bench, seed, number):
    rng = random.Random(f"{seed} {number}")
    async with bench() as made:
        for _ in range(1 if seed == 0 else 2):
            before = count_lines()
            process = made.start()
            await made.lines(process, rng.randint(before + 1, max(before + 1, JOBS)))
            process.send_signal(number)
            code, *_ = await made.end(process)
            assert code in {0, 128 + number}

        code, summary, _ = await made.run()
        assert code == 0
        assert_whole(OUTPUT, JOBS)
        assert made.calls == JOBS == summary["calls"]


async def test_the_second_sigint_cancels_and_counts_what_may_have_been_paid(bench):
    async with bench(latency={"median": 30.0, "tokens_per_second": 1e6}) as made:
        process = made.start()
        await made.wait(process, lambda: made.calls >= 4)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            await left_alone(process, 0.5)
        code, summary, err = await made.end(process)

        assert code == 130
        assert summary["ambiguous"] == summary["calls"] == made.calls >= 4
        assert f"{made.calls} calls had no answer and may have been billed" in err
        saved = load(checkpoint_path(OUTPUT)).fields
        assert saved["sent"] == saved["ambiguous"] == made.calls


async def test_a_terminal_that_goes_away_does_not_end_the_run(bench):
    async with bench() as made:
        ours, theirs = pty.openpty()
        process = made.start(stderr=theirs, stdout=theirs, stdin=theirs, start_new_session=True)
        os.close(theirs)
        await made.lines(process, 5)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        await anyio.to_thread.run_sync(process.wait)

        assert process.returncode == 0
        assert_whole(OUTPUT, JOBS)


async def test_readers_that_go_away_do_not_end_the_run(bench):
    async with bench() as made:
        process = made.start()
        process.stdout.close()
        process.stderr.close()
        process.stdout = process.stderr = None
        await anyio.to_thread.run_sync(process.wait)

        assert process.returncode == 0
        assert_whole(OUTPUT, JOBS)


async def test_a_run_that_was_stopped_for_longer_than_its_timeouts_goes_on(bench):
    async with bench() as made:
        process = made.start("--timeout", 1.0)
        await made.lines(process, 20)
        process.send_signal(signal.SIGSTOP)
        await left_alone(process, 2.0)
        process.send_signal(signal.SIGCONT)
        code, summary, _ = await made.end(process)

        assert code == 0
        assert summary["jobs"]["failed"] == 0
        assert_whole(OUTPUT, JOBS)


async def test_input_that_changes_meanwhile_is_told(bench):
    async with bench() as made:
        process = made.start()
        await made.lines(process, 5)
        os.utime("in.jsonl")
        code, summary, err = await made.end(process)

        assert code == 0
        assert len(summary["warnings"]) == 1
        assert "in.jsonl was changed while the run was reading it" in err


async def test_a_full_file_system_ends_the_run_before_anything_is_paid_for(bench, tmp_path):
    async with bench() as made:
        small = tmp_path / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
        if os.geteuid() or subprocess.run(mount, check=False).returncode:  # noqa: ASYNC221, S603
            pytest.skip("only root may mount")
        try:
            code, summary, err = await made.run("-o", small / "r.jsonl", "--disk-wait", 0)
        finally:
            subprocess.run(["umount", str(small)], check=True)  # noqa: ASYNC221, S603, S607

        assert code == 3
        assert summary["complete"] is False
        assert "MiB of room left" in err
        assert made.calls == 0


async def test_too_few_descriptors_slow_a_run_down_and_blame_no_region(bench):
    few = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (26, 26))
    async with bench() as made:
        code, summary, _ = await made.end(
            made.start("--concurrency", 100, "--strategy", "ordered", preexec_fn=few)
        )

        assert code == 0
        assert summary["jobs"]["ok"] == JOBS
        for region in summary["regions"].values():
            assert set(region["errors"]) <= {"local"}
            assert region["state"] == "open"


async def test_after_a_reboot_the_run_goes_on_though_clocks_began_anew(bench):
    """What counts seconds since the start of the machine is in no file."""
    elsewhere = ["unshare", "--time", "--fork", "--monotonic", "90000000"]
    tried = await anyio.run_process([*elsewhere, "true"], check=False)
    if tried.returncode:
        pytest.skip(f"no time namespaces: {tried.stderr.decode()[:80]}")
    async with bench() as made:
        assert (await made.end(made.start("--limit", 20, before=elsewhere)))[0] == 0
        code, summary, _ = await made.run()

        assert code == 0
        assert summary["jobs"]["ok"] == made.calls == JOBS
        assert summary["wall_s"] < 600
