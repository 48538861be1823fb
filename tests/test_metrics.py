"""What Prometheus sees of a run, and that nobody who looks disturbs it."""

import json
import socket
from collections import Counter
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from batchrunner.batch import run_async
from batchrunner.config import read_settings
from batchrunner.errors import UsageError
from batchrunner.histogram import Histogram
from batchrunner.model import Usage
from batchrunner.policy.region import RegionStatus
from batchrunner.prices import PriceList
from batchrunner.simulator import validate
from batchrunner.simulator.server import serve
from batchrunner.stats import RegionUsage, Stats, Tokens
from batchrunner.summary import Progress
from batchrunner.telemetry.endpoint import serving
from batchrunner.telemetry.metrics import BUCKETS, RunCollector
from tests.security.commands import KEY, batchrunner
from tests.simulator.talk import quick
from tests.test_docs import ROOT, in_code, table

PAGE = ROOT / "docs" / "telemetry.md"


def status(name="eastus", state="open", **more):
    return RegionStatus(name, state, "", 0.0, 3, 8, 5, 0.0, **more)


def usage(model="gpt-4o", **more):
    tokens = Tokens()
    tokens.add(Usage(model, 100, 20, 40))
    return RegionUsage(calls=5, ok=2, models={model: tokens}, **more)


def progress(stats=None, regions=(), **more):
    return Progress(10, 0, 5.0, stats or Stats(ok=2, failed=1), regions, **more)


def scrape(progress=None):
    """Every sample of a scrape, by name and labels, as Prometheus reads it."""
    registry, collector = CollectorRegistry(), RunCollector(1e9)
    registry.register(collector)
    if progress is not None:
        collector.show(lambda: progress)
    return parsed(generate_latest(registry).decode())


def parsed(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_before_there_is_a_run_only_the_program_is_known():
    assert [name for name, *_ in scrape()] == [
        "batchrunner_build_info",
        "batchrunner_start_time_seconds",
    ]


def test_the_jobs_of_the_input_are_ok_failed_or_remaining():
    seen = scrape(progress(waiting=4))

    assert seen["batchrunner_jobs", ("state", "ok")] == 2
    assert seen["batchrunner_jobs", ("state", "failed")] == 1
    assert seen["batchrunner_jobs", ("state", "remaining")] == 7
    assert seen["batchrunner_waiting_jobs",] == 4


def test_the_time_to_go_follows_the_pace_of_late_and_not_that_of_the_whole_run():
    """Ten a second for ten minutes, then one: 1,000 more take 1,000 seconds, not some 110."""
    collector, at = RunCollector(1e9), 0
    registry = CollectorRegistry()
    registry.register(collector)
    for at in range(0, 3_600, 15):
        ok = 10 * min(at, 600) + max(0, at - 600)
        run = Progress(ok + 1_000, 0, float(at), Stats(ok=ok), ())
        collector.show(lambda run=run: run)
        seen = parsed(generate_latest(registry).decode())

    assert seen["batchrunner_eta_seconds",] == pytest.approx(1_000, rel=0.05)


def test_jobs_of_earlier_runs_are_no_pace():
    seen = scrape(Progress(1_000, 500, 60.0, Stats(ok=560), ()))

    assert seen["batchrunner_eta_seconds",] == pytest.approx(440, rel=0.01)


def test_no_time_to_go_is_told_before_there_is_a_pace():
    assert ("batchrunner_eta_seconds",) not in scrape(progress(Stats()))


def test_what_a_region_did_is_told_by_outcome_cause_and_kind_of_token():
    it = usage(throttled=Counter(tokens=2), errors=Counter(timeout=1))
    stats = Stats(regions={"eastus": it})
    seen = scrape(progress(stats, prices=PriceList({"eastus": "azure"})))

    def value(name, **labels):
        return seen[name, *sorted({"region": "eastus", **labels}.items())]

    assert value("batchrunner_calls_total", outcome="ok") == 2
    assert value("batchrunner_calls_total", outcome="throttled") == 2
    assert value("batchrunner_calls_total", outcome="timeout") == 1
    assert value("batchrunner_throttled_total", cause="tokens") == 2
    assert value("batchrunner_tokens_total", model="gpt-4o", type="prompt") == 100
    assert value("batchrunner_tokens_total", model="gpt-4o", type="cached") == 40
    assert value("batchrunner_tokens_total", model="gpt-4o", type="completion") == 20
    assert value("batchrunner_cost_usd_total") > 0


def test_a_cost_that_is_not_known_is_not_told():
    seen = scrape(progress(Stats(regions={"a": usage(model="house blend")})))

    assert not [name for name, *_ in seen if name == "batchrunner_cost_usd_total"]


def test_how_a_region_is_has_a_value_for_each_state():
    seen = scrape(progress(regions=[status(use=0.25), status("west", "out")]))

    east, west = ("region", "eastus"), ("region", "west")
    assert seen["batchrunner_in_flight", east] == 3
    assert seen["batchrunner_concurrency_limit", east] == 8
    assert seen["batchrunner_quota_use_ratio", east] == 0.25
    states = {key[-1][1]: n for key, n in seen.items() if "region_state" in key[0] and west in key}
    assert states == {"open": 0, "throttled": 0, "resting": 0, "out": 1}


def test_latencies_are_a_histogram_of_few_buckets():
    latency = Histogram()
    for seconds in (0.01, 0.3, 0.3, 7.0, 1000.0):
        latency.add(seconds)
    seen = scrape(progress(Stats(regions={"a": usage(latency=latency)})))
    buckets = {
        dict(key[1:])["le"]: count
        for key, count in seen.items()
        if key[0] == "batchrunner_latency_seconds_bucket"
    }

    assert list(buckets) == [*map(str, BUCKETS), "+Inf"]
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets["0.05"], buckets["0.25"], buckets["0.5"], buckets["10.0"]) == (1, 1, 3, 4)
    assert buckets["+Inf"] == seen["batchrunner_latency_seconds_count", ("region", "a")] == 5
    assert seen["batchrunner_latency_seconds_sum", ("region", "a")] == pytest.approx(
        1007.6, rel=0.05
    )


@pytest.mark.parametrize(
    "name", ['a"b', "a\nb 1\nc", "a\\b", "}", "é∂", "\x00\x1b[2J", "x" * 256, " ", ""]
)
def test_no_name_of_a_region_or_a_model_breaks_the_text(name):
    it = usage(model=name)
    seen = scrape(progress(Stats(regions={name: it}), [status(name)]))

    key = (("model", name), ("region", name), ("type", "prompt"))
    assert seen["batchrunner_tokens_total", *key] == 100
    assert seen["batchrunner_in_flight", ("region", name)] == 3


# --- over real sockets


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def ask(port, request=b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"):
    """What comes back for one request, with its connection closed after it."""
    stream = await anyio.connect_tcp("127.0.0.1", port)
    async with stream:
        await stream.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        parts = []
        with anyio.fail_after(10):
            try:
                while True:
                    parts.append(await stream.receive())
            except anyio.EndOfStream:
                return b"".join(parts).decode()


async def until_it_ends(stream):
    """Read what comes until the other side hangs up, be it with a reset."""
    with anyio.fail_after(9):
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return


@pytest.mark.socket
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "200 OK"),
        (b"HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200 OK"),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", "405"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        (b"GET /metrics HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "400"),
        (b"GET /metrics HTTP/1.1\r\nHost: \r\n\r\n", "400"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", "400"),
    ],
)
async def test_one_path_is_served_to_those_who_call_this_machine_by_its_name(
    port, request_, status, caplog
):
    async with serving(port, 0.0) as show:
        show(progress)
        answer = await ask(port, request_)

    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}")
    assert ("batchrunner_jobs" in body) is (status[:3] == "200" and b"GET" in request_)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.socket
async def test_however_often_it_is_asked_the_run_is_looked_at_once_a_second(port):
    looks = []

    def look():
        looks.append(1)
        return progress()

    async with serving(port, 0.0) as show:
        show(look)
        answers = [await ask(port) for _ in range(20)]

    assert all("batchrunner_jobs" in answer for answer in answers)
    assert len(looks) <= 3


@pytest.mark.socket
async def test_a_port_that_is_taken_is_refused_with_the_remedy(port):
    async with serving(port, 0.0):
        with pytest.raises(
            UsageError, match=f"--metrics-port {port}: another program uses it: ch"
        ):
            await anext(serving(port, 0.0).gen)


@pytest.mark.socket
async def test_without_a_port_nothing_is_served():
    async with serving(None, 0.0) as show:
        show(progress)


@pytest.mark.socket
async def test_only_this_machine_can_reach_it(port):
    async with serving(port, 0.0):
        listening = {
            line.split()[1]
            for line in Path("/proc/net/tcp").read_text().splitlines()  # noqa: ASYNC240
            if line.split()[1].endswith(f":{port:04X}")
        }

    assert listening == {f"0100007F:{port:04X}"}


@pytest.mark.socket
async def test_who_hangs_on_the_line_delays_nobody(port):
    """Clients that say nothing, or ask and never read, while the run ends."""
    waiting = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50
    with anyio.fail_after(20):
        async with serving(port, 0.0) as show:
            show(lambda: progress(Stats(regions={f"r{n}": usage() for n in range(64)})))
            hanging = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(8)]
            for stream in hanging[:4]:
                await stream.send(waiting)
            assert "batchrunner_jobs" in await ask(port)
    for stream in hanging:  # hung up on, be it with a reset
        async with stream:
            await until_it_ends(stream)
    with pytest.raises(OSError, match=r".*"):
        await anyio.connect_tcp("127.0.0.1", port)


@pytest.mark.socket
async def test_more_clients_than_a_few_are_hung_up_on_and_there_is_room_again(port):
    async with serving(port, 0.0):
        crowd = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(60)]
        refused = 0
        for stream in crowd[32:]:
            try:
                with anyio.fail_after(9):
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                refused += 1
        for stream in crowd:
            await stream.aclose()
        assert refused == 28
        while True:  # the server hears of it a moment later
            try:
                assert "batchrunner_build_info" in await ask(port)
                break
            except anyio.BrokenResourceError:
                await anyio.lowlevel.checkpoint()


@pytest.fixture
def jobs(tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [{"prompt": f"CANARY {n}", "model": "gpt-4o-mini"} for n in range(40)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.socket
async def test_a_run_can_be_watched_and_the_port_is_closed_after_it(jobs, port):
    """It is scraped while it goes on; at the end the numbers are those of the summary."""
    seen = []
    async with serve(validate({"regions": [{"name": "eastus", "key": KEY, **quick()}]})) as sim:
        settings = read_settings({"metrics_port": port}, sim.environ(), {})

        async def scraper():
            while True:
                seen.append(await ask(port))

        async with anyio.create_task_group() as group:

            def begin(_):
                if not seen:
                    seen.append("")
                    group.start_soon(scraper)

            summary = await run_async(jobs, None, settings, watch=begin)
            group.cancel_scope.cancel()

    assert summary.exit_code == 0
    texts = [text for text in seen if text]
    assert texts
    assert not [secret for secret in ("CANARY", KEY) if secret in "".join(texts)]
    for text in texts:
        samples = parsed(text.partition("\r\n\r\n")[2])
        assert sum(n for key, n in samples.items() if key[0] == "batchrunner_jobs") == 40
    with pytest.raises(OSError, match=r".*"):
        await anyio.connect_tcp("127.0.0.1", port)


@pytest.mark.socket
async def test_a_run_whose_port_is_taken_sends_and_writes_nothing(jobs, port):
    async with serve(validate({"regions": [{"name": "eastus", "key": "k1", **quick()}]})) as sim:
        settings = read_settings({"metrics_port": port}, sim.environ(), {})
        async with serving(port, 0.0):
            with pytest.raises(UsageError):
                await run_async(jobs, None, settings)

    assert sim.statistics()["eastus"]["calls"] == 0
    assert [path.name for path in jobs.parent.iterdir()] == ["in.jsonl"]


@pytest.mark.socket
async def test_the_command_says_what_to_do_about_a_port_that_is_taken(jobs, port):
    async with serving(port, 0.0):
        ended = await batchrunner(jobs.parent, "run", jobs, "--simulate", "--metrics-port", port)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"batchrunner: --metrics-port {port}: another program uses it: choose another port, "
        "or leave the option out\n"
    )


# --- what the page says


def test_every_metric_is_documented_with_its_type_and_labels_and_no_other():
    it = usage(throttled=Counter(tokens=2))
    registry, collector = CollectorRegistry(), RunCollector(1e9)
    registry.register(collector)
    stats = Stats(ok=8, regions={"eastus": it})
    collector.show(lambda: progress(stats, [status()]))
    told = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        told[name] = family.type, labels

    rows = {in_code(name): row for name, *row in table(PAGE, "Metrics for Prometheus")}
    assert {
        name: (kind, {in_code(label) for label in labels.split(", ")} - {None})
        for name, (kind, labels, _) in rows.items()
    } == told
    assert list(rows) == list(told)
