"""What a collector is told of requests: numbers and names, and nothing of what was asked."""

import asyncio
import json
import re
import socket
import sys
import threading
from collections import Counter

import anyio
import orjson
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from batchrunner.errors import ConfigError
from batchrunner.model import CHAT, EMBEDDINGS, RESPONSES, Fault, FaultKind, Job, Reply
from batchrunner.targets import Target
from batchrunner.telemetry.export import require, telling
from batchrunner.telemetry.spans import COUNTS, DURATION, SECONDS, TOKENS, Observed
from tests.collector import attributes, collecting
from tests.security.commands import KEY, batchrunner
from tests.test_docs import ROOT
from tests.test_scenarios import region, scenario
from tests.world import MODEL, World, job

PAGE = ROOT / "docs" / "telemetry.md"
CANARY = "CANARY-what-is-asked"
TARGETS = {
    "eastus": Target(name="eastus", endpoint="https://east.openai.azure.com/", key=KEY),
    "openai": Target(name="openai", kind="openai", endpoint="https://api.openai.com/v1", key=KEY),
    "near": Target(name="near", endpoint="http://127.0.0.1:8080/near", key=KEY),
}
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 4},
}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"message": {"content": CANARY}, "finish_reason": "stop"}],
    "usage": USAGE,
}


class Watched:
    """Sends through an observer that keeps what it tells."""

    def __init__(self, outcome=None, targets=TARGETS, send=None):
        async def answer(_region, _job):
            return outcome

        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        traces = TracerProvider(shutdown_on_exit=False)
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        metrics = MeterProvider([self.reader], shutdown_on_exit=False)
        self.send = Observed(send or answer, targets, traces, metrics)

    @property
    def points(self):
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        scopes = [scope for one in data.resource_metrics for scope in one.scope_metrics]
        return {m.name: m.data.data_points for scope in scopes for m in scope.metrics}


def asked(path=CHAT, most=100):
    body = orjson.dumps({"messages": [{"role": "user", "content": CANARY}]})
    return Job(7, "0" * 16, f"id-{CANARY}", path, "gpt-4o", body, most)


def reply(body, status=200):
    return Reply(status, {"x-request-id": CANARY}, orjson.dumps(body))


async def span_of(outcome, path=CHAT, where="eastus"):
    watched = Watched(outcome)
    assert await watched.send(where, asked(path)) is outcome
    [span] = watched.spans.get_finished_spans()
    return span


async def test_an_answer_is_told_with_all_that_the_conventions_name():
    span = await span_of(reply(ANSWER))

    assert (span.name, span.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "batchrunner.region": "eastus",
        "gen_ai.provider.name": "azure.ai.openai",
        "server.address": "east.openai.azure.com",
        "server.port": 443,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 100,
        "http.response.status_code": 200,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }


@pytest.mark.parametrize(
    ("where", "provider", "address", "port"),
    [
        ("openai", "openai", "api.openai.com", 443),
        ("near", "azure.ai.openai", "127.0.0.1", 8080),
    ],
)
async def test_who_was_asked_is_told(where, provider, address, port):
    told = (await span_of(reply(ANSWER), where=where)).attributes

    assert told["gen_ai.provider.name"] == provider
    assert (told["server.address"], told["server.port"]) == (address, port)


async def test_an_embedding_is_another_operation():
    body = {"data": [{"embedding": [0.5]}], "model": "e", "usage": {"prompt_tokens": 3}}
    span = await span_of(reply(body), EMBEDDINGS)

    assert span.name == "embeddings gpt-4o"
    assert span.attributes["gen_ai.usage.input_tokens"] == 3
    assert "gen_ai.request.max_tokens" not in span.attributes


async def test_a_response_ends_with_its_status():
    body = {"id": "resp_1", "status": "incomplete", "output": [], "usage": {"input_tokens": 3}}
    span = await span_of(reply(body), RESPONSES)

    assert span.attributes["gen_ai.response.finish_reasons"] == ("incomplete",)


ERROR = {"error": {"message": CANARY, "code": CANARY}}


@pytest.mark.parametrize(
    ("outcome", "error", "status"),
    [
        (reply(ERROR, 429), "throttled", 429),
        (reply(ERROR, 500), "http_500", 500),
        (reply(ERROR, 400), "refused", 400),
        (reply(ERROR, 401), "barred", 401),
        (reply(ERROR), "bad_payload", 200),
        (Reply(200, {}, b"<html>"), "bad_payload", 200),
        (Reply(200, {}, b"[" * 10_000), "bad_payload", 200),
        (Fault(FaultKind.TIMEOUT, CANARY), "timeout", None),
        (Fault(FaultKind.CONNECT, CANARY), "connect", None),
        (Fault(FaultKind.LOCAL, CANARY), "local", None),
        (Fault(FaultKind.TLS, CANARY), "barred", None),
    ],
)
async def test_a_failure_is_told_by_its_outcome_and_not_by_its_message(outcome, error, status):
    span = await span_of(outcome)

    assert span.attributes["error.type"] == error
    assert span.attributes.get("http.response.status_code") == status
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert CANARY not in span.to_json()


@pytest.mark.parametrize(
    "body",
    [
        {**ANSWER, "id": 7, "model": ["x"], "usage": None},
        {**ANSWER, "id": None, "usage": {"prompt_tokens": "many"}},
        {**ANSWER, "choices": [*ANSWER["choices"], 7, None, {"finish_reason": {}}]},
        {**ANSWER, "id": "x" * 10_000, "model": "y" * 10_000},
    ],
)
async def test_an_answer_that_says_strange_things_of_itself_is_told_all_the_same(body):
    told = (await span_of(reply(body))).attributes

    assert "error.type" not in told
    assert len(str(told.get("gen_ai.response.id", ""))) <= 256
    assert told["gen_ai.response.finish_reasons"] == ("stop",)


async def test_a_request_that_is_cancelled_is_told_as_such_and_cancelled():
    async def never(*_):
        await asyncio.Event().wait()

    watched = Watched(send=never)
    with anyio.move_on_after(5):
        await watched.send("eastus", asked())

    [span] = watched.spans.get_finished_spans()
    assert span.attributes["error.type"] == "cancelled"
    [point] = watched.points[DURATION]
    assert (point.count, point.sum) == (1, 5.0)


async def test_duration_and_tokens_are_histograms_with_the_edges_of_the_conventions():
    watched = Watched(reply(ANSWER))
    await watched.send("eastus", asked())

    [duration] = watched.points[DURATION]
    by_kind = {p.attributes["gen_ai.token.type"]: p for p in watched.points[TOKENS]}
    assert duration.explicit_bounds == SECONDS == (*SECONDS[:-1], 81.92)
    assert {kind: point.sum for kind, point in by_kind.items()} == {"input": 12, "output": 5}
    assert by_kind["input"].explicit_bounds == COUNTS == (*COUNTS[:-1], 67108864)
    assert "gen_ai.response.id" not in duration.attributes
    assert duration.attributes["gen_ai.response.model"] == "gpt-4o-2024-08-06"


async def test_every_request_of_a_run_with_a_sick_region_has_its_span():
    slow = {"latency": {"median": 200.0, "sigma": 0.0}}
    limited = {"rpm": 30, "headers": "none"}
    regions = [
        region("limited", **limited),
        region("sick", faults=[OUTAGE]),
        region("slow", **slow),
    ]
    world = World(scenario(*regions), options={"timeout": 20.0})
    watched = Watched(targets=world.targets, send=world.caller.send)
    world.caller.send = watched.send
    await world.run([job(n, text=CANARY) for n in range(300)])

    spans = watched.spans.get_finished_spans()
    told = Counter(
        (span.attributes["batchrunner.region"], span.attributes.get("error.type", "ok"))
        for span in spans
    )
    attempts = [attempt for result in world.results for attempt in result.attempts]
    counted = Counter((attempt.region, attempt.outcome) for attempt in attempts)
    assert told == counted
    assert {outcome for _, outcome in told} >= {"ok", "throttled", "http_500", "timeout"}
    assert sum(p.count for p in watched.points[DURATION]) == len(spans)
    assert not [span for span in spans if CANARY in span.to_json()]


OUTAGE = {"kind": "outage", "from": 0.0, "until": 30.0, "status": 500}


async def test_every_attribute_of_a_span_is_documented_and_no_other():
    answered = await span_of(reply(ANSWER))
    failed = await span_of(reply(ERROR, 429))
    rows = re.findall(r"^\| `([a-z_.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    told = {*answered.attributes, *failed.attributes}
    assert {row for row in rows if "." in row} == told


# --- over real sockets, from the front door


@pytest.fixture
def place(tmp_path):
    lines = [
        {"id": f"{CANARY}-{n}", "prompt": f"{CANARY} {n}", "model": MODEL, "max_tokens": 20}
        for n in range(60)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "sick.toml").write_text(SICK)
    return tmp_path


SICK = f"""
seed = 3
[[regions]]
name = "well"
key = "{KEY}"
rpm = 1200
latency = {{ speed = 50.0 }}
[[regions]]
name = "sick"
key = "{KEY}"
latency = {{ speed = 50.0 }}
faults = [{{ kind = "outage", from = 0.0, until = 1000.0, status = 500 }}]
"""
RUN = ("run", "in.jsonl", "--simulate", "sick.toml", "--telemetry", "--json")


@pytest.mark.socket
async def test_a_collector_gets_spans_and_metrics_and_no_secret(place):
    """Neither prompts nor ids nor keys, in any byte that is sent; and the headers are its own."""
    with collecting() as (collected, url):
        ended = await batchrunner(
            place,
            *RUN,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=collectors-own-key",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test",
        )
    summary = json.loads(ended.out)
    told = Counter(attributes(span).get("error.type", "ok") for span in collected.spans)

    assert ended.code == 0
    assert len(collected.spans) == summary["calls"]
    assert told["ok"] == 60
    assert told["http_500"] > 0
    assert {"service.name": "batchrunner", "deployment.environment": "test"}.items() <= (
        collected.resource.items()
    )
    assert collected.metrics[-1].resource_metrics[0].resource == (
        collected.traces[-1].resource_spans[0].resource
    )
    assert sum(point.count for point in collected.points[DURATION]) == summary["calls"]
    assert collected.points[TOKENS]
    sent = b"".join(collected.raw)
    assert [text for text in (CANARY, KEY) if text.encode() in sent] == []
    assert "collectors-own-key" not in ended.out + ended.err


@pytest.mark.socket
@pytest.mark.parametrize("how", ["nobody listens", "it is full", "it refuses"])
async def test_a_collector_that_takes_nothing_costs_a_warning_and_no_answer(place, how):
    status = {"nobody listens": 200, "it is full": 503, "it refuses": 401}[how]
    with collecting(status) as (_, there):
        url = there
        if how == "nobody listens":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{free.getsockname()[1]}"
        ended = await batchrunner(
            place,
            *RUN,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
            OTEL_EXPORTER_OTLP_HEADERS=f"not a header {KEY}",
        )

    assert ended.code == 0
    assert json.loads(ended.out)["jobs"]["ok"] == 60
    assert ended.err.count("telemetry: the collector did not take everything") == 1
    assert KEY not in ended.out + ended.err
    assert "opentelemetry" not in ended.err.lower()


@pytest.mark.socket
async def test_a_collector_that_never_answers_is_waited_for_a_few_seconds_only(place):
    with collecting(hold=threading.Event()) as (_, url):
        ended = await batchrunner(
            place, *RUN, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="1000"
        )

    assert ended.code == 0
    assert "telemetry: the collector did not take everything" in ended.err
    assert json.loads(ended.out)["wall_s"] < 4  # it is not a part of the run


@pytest.mark.socket
async def test_a_program_with_a_log_of_its_own_reads_one_warning_in_it(monkeypatch, caplog):
    async def answer(*_):
        return reply(ANSWER)

    with collecting(401) as (_, url):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with telling(telemetry=True) as observe:
            await observe(answer, TARGETS)("eastus", asked())

    assert [record.name for record in caplog.records if record.levelname != "DEBUG"] == [
        "batchrunner"
    ]


@pytest.mark.socket
async def test_what_the_variables_switch_off_is_not_sent(place):
    with collecting() as (collected, url):
        await batchrunner(
            place, *RUN, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_METRICS_EXPORTER="none"
        )
        assert (bool(collected.spans), collected.metrics) == (True, [])
        before = len(collected.raw)
        ended = await batchrunner(
            place, *RUN, "--restart", OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_SDK_DISABLED="true"
        )

    assert ended.code == 0
    assert len(collected.raw) == before


@pytest.mark.socket
async def test_variables_that_cannot_be_are_refused(place):
    ended = await batchrunner(place, *RUN, OTEL_BSP_MAX_QUEUE_SIZE="-1")

    assert ended.code == 2
    assert "ValueError from OpenTelemetry: correct the OTEL_* variables" in ended.err


@pytest.mark.socket
async def test_without_the_option_nothing_is_sent_and_nothing_imported(place):
    with collecting() as (collected, url):
        ended = await batchrunner(
            place, *RUN[:4], OTEL_EXPORTER_OTLP_ENDPOINT=url, PYTHONPROFILEIMPORTTIME="1"
        )

    assert ended.code == 0
    assert "opentelemetry" not in ended.err
    assert collected.raw == []


def test_without_the_libraries_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)

    with pytest.raises(ConfigError, match=r"pip install 'batchrunner\[telemetry\]'"):
        require(telemetry=True)
    require(telemetry=False)
